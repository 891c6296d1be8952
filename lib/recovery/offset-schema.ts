import * as z from 'zod'

const largestOffset = 2n ** 63n - 1n

/** An offset as people write it into an event: digits, as text where it is above 2^53. */
export const offsetSchema = z
  .union([z.string().regex(/^\d{1,19}$/, 'must be decimal digits'), z.int().min(0)])
  .transform((value) => BigInt(value))
  .refine(
    (value) => value <= largestOffset,
    `must not be above ${largestOffset}, the largest offset of Kafka`,
  )
