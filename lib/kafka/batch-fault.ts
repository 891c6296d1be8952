import { DtsError } from '../errors.ts'

export type BatchFaultCode = 'BATCH_CORRUPT' | 'BATCH_TOO_LARGE' | 'PROTOCOL_UNSUPPORTED'

/**
 * Makes the error for one batch. `detail` says what is wrong with it, in sizes and positions, never in contents.
 * Only BATCH_CORRUPT is retryable: a second fetch of the same bytes repairs damage that happened on the way.
 */
export type BatchFault = (code: BatchFaultCode, detail: string) => DtsError

const remedy: Record<BatchFaultCode, string> = {
  BATCH_CORRUPT: 'The poller fetches it again. If the stream halts here, the log is damaged: ask DTS support',
  BATCH_TOO_LARGE: 'None of it was read. Raise that limit, and the memory of the function with it',
  PROTOCOL_UNSUPPORTED:
    'None of it was read. The producer or the broker must use a format that the poller knows',
}

/**
 * @param position the byte of the records field at which the batch starts
 * @param offset its base offset
 * @param nextOffset the offset after the batch, from its header, for a reader that skips it; null if the header is
 *   not credible
 */
export function batchFault(position: number, offset: bigint, nextOffset: bigint | null = null): BatchFault {
  return (code, detail) =>
    new DtsError(
      code,
      `Record batch at byte ${position}, offset ${offset}: ${detail}. ${remedy[code]}.${
        nextOffset === null ? '' : ` Its header says that the next offset is ${nextOffset}.`
      }`,
      {
        retryable: code === 'BATCH_CORRUPT',
        facts: {
          position,
          offset: String(offset),
          ...(nextOffset === null ? {} : { nextOffset: String(nextOffset) }),
        },
      },
    )
}
