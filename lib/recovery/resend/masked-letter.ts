import type { DeadLetter } from '../../dispatch/dead-letter.ts'
import { maskerFor } from '../../dispatch/mask.ts'
import type { SendDependencies } from './send.ts'

export type LetterMask = Pick<SendDependencies, 'routes' | 'maskKey'>

/**
 * The record of a letter as its function may see it. The letter may be older than the mask. A record that is masked already stays as
 * it is.
 * @throws DtsError MASK_FAILED, SECRET_UNAVAILABLE
 */
export async function maskedBytes(
  { offset }: Pick<DeadLetter, 'offset'>,
  value: Buffer,
  functionName: string,
  { routes, maskKey }: LetterMask,
): Promise<Buffer> {
  const route = Object.values(routes).find((one) => one.functionName === functionName)
  if (route?.mask === undefined) return value
  return (await maskerFor(routes, maskKey)).masked(value, BigInt(offset), route)
}
