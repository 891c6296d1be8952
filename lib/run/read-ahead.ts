import { DtsError, type ErrorCode } from '../errors.ts'
import type { Fetched, Stream } from '../kafka/stream.ts'
import { Halt } from './halt.ts'

/** How often a damaged batch is fetched in all before the stream halts, and the pause between two of them (ms). */
export const corruptTries = 5
export const corruptPauseMs = 500
/** Faults of the log itself: another try reads the same. */
const haltingCodes: ReadonlySet<ErrorCode> = new Set(['DATA_GAP', 'BATCH_TOO_LARGE'])

/** Fetches slices of the stream; the next one can be on its way while one is being worked on. */
export class ReadAhead {
  readonly #stream: Stream
  readonly #maxBytes: number
  readonly #pause: (milliseconds: number) => Promise<void>
  #corrupt = 0
  #ahead: { readonly from: bigint; readonly slice: Promise<Fetched | null> } | null = null

  /** @param maxBytes bound of one fetch */
  constructor(stream: Stream, maxBytes: number, pause: (milliseconds: number) => Promise<void>) {
    this.#stream = stream
    this.#maxBytes = maxBytes
    this.#pause = pause
  }

  /**
   * The slice from an offset on; null when the answer was damaged and is to be asked for again.
   * @param maxWaitMs how long the broker may wait for news
   * @throws Halt, DtsError
   */
  async take(from: bigint, maxWaitMs: number): Promise<Fetched | null> {
    const ahead = this.#ahead
    this.#ahead = null
    return await (ahead?.from === from ? ahead.slice : this.#fetch(from, maxWaitMs))
  }

  /** Asks already for what `take` will be called with next. */
  ask(from: bigint): void {
    const slice = this.#fetch(from, 0)
    // Reported by `take`; a run that ends before never hears of it.
    slice.catch(() => {})
    this.#ahead = { from, slice }
  }

  async #fetch(from: bigint, maxWaitMs: number): Promise<Fetched | null> {
    try {
      const fetched = await this.#stream.fetch(from, { maxBytes: this.#maxBytes, maxWaitMs })
      this.#corrupt = 0
      return fetched
    } catch (error) {
      if (!(error instanceof DtsError)) throw error
      if (haltingCodes.has(error.code)) throw new Halt(error)
      if (error.code !== 'BATCH_CORRUPT') throw error
      this.#corrupt += 1
      if (this.#corrupt >= corruptTries) throw new Halt(error)
      await this.#pause(corruptPauseMs)
      return null
    }
  }
}
