import { DtsError, type ErrorCode } from '../errors.ts'
import type { Fetched, Stream } from '../kafka/stream.ts'
import { Halt } from './halt.ts'

/** A damaged batch is fetched this often, with this pause in milliseconds, before the stream halts. */
export const corruptTries = 5
export const corruptPauseMs = 500
/** Faults of the log itself. Another fetch would read the same. */
const haltingCodes: ReadonlySet<ErrorCode> = new Set(['DATA_GAP', 'BATCH_TOO_LARGE'])

/** Fetches slices of the stream. The next one can be on its way while one is processed. */
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
   * The slice from an offset on; null if the answer was damaged and must be fetched again.
   * @param maxWaitMs how long the broker may wait for news
   * @throws Halt, DtsError
   */
  async take(from: bigint, maxWaitMs: number): Promise<Fetched | null> {
    const ahead = this.#ahead
    this.#ahead = null
    return await (ahead?.from === from ? ahead.slice : this.#fetch(from, maxWaitMs))
  }

  /** Starts the fetch that the next `take` will ask for. */
  ask(from: bigint): void {
    const slice = this.#fetch(from, 0)
    // `take` reports the failure. If the run ends before, it does not matter.
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
