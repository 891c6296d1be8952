import type { Anchor } from '../../../../lib/checkpoint/types.ts'

/** The last committed change, if fifty changes of the log are done: offsets 100 to 199, of the times 1000 to 1099. */
export const anchor: Anchor = {
  offset: 149n,
  timestamp: 1049,
  sourcePosition: 'p',
  transactionId: 't',
  ordinal: 0,
  digest: 'd',
}
