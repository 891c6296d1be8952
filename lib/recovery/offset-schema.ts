import * as z from '../schema.ts'

const largestOffset = 2n ** 63n - 1n

/** An offset as people write it into an event: digits, as text where it is above 2^53. */
export const offsetSchema = z
  .pipe(
    z.union([z.string().check(z.regex(/^\d{1,19}$/, 'must be decimal digits')), z.int().check(z.minimum(0))]),
    z.transform((value) => BigInt(value)),
  )
  .check(
    z.refine(
      (value) => value <= largestOffset,
      `must not be above ${largestOffset}, the largest offset of Kafka`,
    ),
  )
