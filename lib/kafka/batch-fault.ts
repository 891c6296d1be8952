import { DtsError } from '../errors.ts'

export type BatchFaultCode = 'BATCH_CORRUPT' | 'BATCH_TOO_LARGE' | 'PROTOCOL_UNSUPPORTED'

/**
 * Makes the error for one batch; `detail` says what is wrong with it, in sizes and positions, never contents.
 * Only BATCH_CORRUPT is retryable: damage on the way is gone when the same bytes are fetched again.
 */
export type BatchFault = (code: BatchFaultCode, detail: string) => DtsError

const remedy: Record<BatchFaultCode, string> = {
  BATCH_CORRUPT:
    'It is fetched again; if the stream halts over it, the log is damaged there: ask DTS support',
  BATCH_TOO_LARGE: 'Nothing was read of it; raise that limit, and the memory of the function with it',
  PROTOCOL_UNSUPPORTED: 'Nothing was read of it; the producer or broker must use a format known here',
}

/**
 * `position` is the byte of the records field at which the batch starts; `offset` its base offset; `behind` the one that
 * follows it, as far as its header can be believed, for whoever has to go on behind it.
 */
export function batchFault(position: number, offset: bigint, behind: bigint | null = null): BatchFault {
  return (code, detail) =>
    new DtsError(
      code,
      `Record batch at byte ${position}, offset ${offset}: ${detail}. ${remedy[code]}.${
        behind === null ? '' : ` By its header the offset behind it is ${behind}.`
      }`,
      {
        retryable: code === 'BATCH_CORRUPT',
        facts: { position, offset: String(offset), ...(behind === null ? {} : { behind: String(behind) }) },
      },
    )
}
