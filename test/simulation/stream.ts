import { DtsError } from '../../lib/errors.ts'
import type { Fetched, GroupPosition, Stream } from '../../lib/kafka/stream.ts'
import { request, type Stage, strikes, survives } from './hazards.ts'
import { type Log, outOfRange, streamFacts } from './log.ts'
import { never } from './machine.ts'
import type { ObservedRun } from './observed.ts'
import { t0 } from './records.ts'

/** The broker as one run reaches it. */
export class Broker {
  readonly #stage: Stage
  readonly #log: Log
  /** The credentials are revoked. */
  refusing = false
  readonly halting = { spurious: false }
  #group: GroupPosition | null = null

  constructor(stage: Stage, log: Log) {
    this.#stage = stage
    this.#log = log
  }

  async open(run: ObservedRun): Promise<Stream> {
    const { random } = this.#stage
    await request(this.#stage, run, random.whole(5, 200), () => {
      if (this.refusing) {
        this.#stage.checker.fault(26)
        throw new DtsError('AUTHENTICATION_FAILED', 'refused', { retryable: false })
      }
    })
    this.#stage.mayPause()
    // A connection stays with the log that it was made to; another log takes new connections alone.
    const swapped = this.#log.swapped
    const ask = async <T>(what: string, serve: () => T): Promise<T> =>
      await request(this.#stage, run, random.whole(1, 10), () => {
        if (swapped !== this.#log.swapped) throw failed('the connection was reset')
        if (strikes(this.#stage, this.#stage.scenario.rates.fetchFails)) {
          run.disturbed = true
          throw failed(what)
        }
        return serve()
      })
    return {
      ...streamFacts,
      range: () =>
        ask('range', () => {
          if (this.#strikesOffset()) return { earliest: this.#log.earliest, end: 0n }
          return { earliest: this.#log.earliest, end: this.#log.end }
        }),
      offsetForTime: (seconds) => ask('time', () => (seconds <= t0 ? this.#log.earliest : null)),
      fetch: (from, { maxWaitMs }) => this.#fetch(run, swapped, from, maxWaitMs, ask),
      committed: () => ask('committed', () => this.#group),
      commit: (offset, timestamp) =>
        ask('commit', () => {
          this.#group = { offset, metadata: `${timestamp}|dts-functions` }
        }),
      close: async () => {},
    }
  }

  async #fetch(
    run: ObservedRun,
    swapped: boolean,
    from: bigint,
    maxWaitMs: number,
    ask: <T>(what: string, serve: () => T) => Promise<T>,
  ): Promise<Fetched> {
    const { rates } = this.#stage.scenario
    if (strikes(this.#stage, rates.fetchFails)) {
      run.disturbed = true
      return await ask('damaged', () => {
        throw new DtsError('BATCH_CORRUPT', 'checksum', { retryable: true })
      })
    }
    if (this.#strikesOffset()) {
      run.disturbed = true
      return await ask('spurious', () => {
        throw outOfRange(from)
      })
    }
    if (from >= this.#log.end && maxWaitMs > 0) {
      if (!survives(this.#stage, run)) return await never()
      await run.machine.request(maxWaitMs, 0, () => undefined)
    }
    return await ask('fetch', () => this.#log.read(from, this.#stage.random, swapped))
  }

  #strikesOffset(): boolean {
    if (!strikes(this.#stage, this.#stage.scenario.rates.offsetSpurious)) return false
    this.#stage.checker.fault(21)
    this.halting.spurious = true
    return true
  }
}

function failed(what: string): DtsError {
  return new DtsError('BROKER_FAILED', `${what} failed`, { retryable: true })
}
