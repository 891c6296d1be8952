import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import * as z from '../schema.ts'
import type { Wish } from './types.ts'

/** How the item writes a run's wish for the lease. Older versions keep the attribute and do not read it. */

const wishSchema = z.object({ owner: z.string(), epoch: z.number(), at: z.number() })

export function encodeWish({ owner, epoch, at }: Wish): AttributeValue {
  return { S: JSON.stringify({ owner, epoch, at }) }
}

/** A wish that cannot be read counts as none: it must not make the item unreadable. */
export function decodeWish(attribute: Partial<AttributeValue> | undefined): Wish | null {
  try {
    return wishSchema.safeParse(JSON.parse(attribute?.S ?? 'null')).data ?? null
  } catch {
    return null
  }
}
