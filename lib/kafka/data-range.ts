/** The offsets that can be read now: `earliest` is the first record's, `end` is the next record's. */
export interface DataRange {
  readonly earliest: bigint
  readonly end: bigint
}

/** The range in words. Both bounds that it names are offsets of records. */
export function formatOffsets({ earliest, end }: DataRange): string {
  if (end <= earliest) return `no records now; the next one gets offset ${end}`
  return `offsets ${earliest} to ${end - 1n}; the next record gets ${end}`
}
