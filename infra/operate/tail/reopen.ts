import { isDtsError } from '../../../lib/errors.ts'
import type { Stream } from '../../../lib/kafka/stream.ts'

export interface Reopening {
  readonly open: () => Promise<Stream>
  /** Waits, in milliseconds; ends early if the signal is aborted. */
  readonly wait: (ms: number) => Promise<void>
  readonly signal: AbortSignal
}

const firstDelayMs = 1_000
const longestDelayMs = 30_000

/**
 * Opens a stream again, as often as that may help.
 * @returns null after an abort
 */
export async function reopen({ open, wait, signal }: Reopening): Promise<Stream | null> {
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(longestDelayMs, 2 * delayMs)) {
    await wait(delayMs)
    if (signal.aborted) return null
    try {
      return await open()
    } catch (error) {
      if (!isDtsError(error) || !error.retryable) throw error
    }
  }
}
