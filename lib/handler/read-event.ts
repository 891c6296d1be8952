import * as z from 'zod'
import { type Batch, batchSchema } from '../dispatch/batch-format.ts'
import { DtsError } from '../errors.ts'

/** The event of a table function: the poller's batch, or changes that a person sends by hand. */
export type TableEvent =
  | { readonly kind: 'batch'; readonly batch: Batch }
  | { readonly kind: 'by-hand'; readonly changes: readonly unknown[] }

const handSchema = z.union([
  z.looseObject({ operation: z.string() }).transform((change) => [change]),
  z
    .strictObject({ changes: z.array(z.looseObject({ operation: z.string() })).min(1) })
    .transform(({ changes }) => changes),
])

/** @throws DtsError CONFIG_INVALID when the event is neither */
export function readEvent(event: unknown): TableEvent {
  const byHand = handSchema.safeParse(event)
  if (byHand.success) return { kind: 'by-hand', changes: byHand.data }
  const batch = batchSchema.safeParse(event)
  if (batch.success) return { kind: 'batch', batch: batch.data }
  throw new DtsError(
    'CONFIG_INVALID',
    `The event is neither a batch of the poller nor a change in its JSON form: ${z.prettifyError(batch.error)}. ` +
      'Poller and table functions must be of one deployment.',
    { retryable: false },
  )
}
