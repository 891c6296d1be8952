import { DtsError } from '../../lib/errors.ts'
import { groupPosition, writeMark } from '../../lib/kafka/commit-mark.ts'
import type { Fetched, Stream } from '../../lib/kafka/stream.ts'
import { request, type Stage, strikes, survives } from './hazards.ts'
import { type Log, outOfRange } from './log.ts'
import { never } from './machine.ts'
import type { ObservedRun } from './observed.ts'

type Ask = <T>(what: string, serve: () => T) => Promise<T>

/** The broker, and the connection of each run to it. */
export class Broker {
  readonly #stage: Stage
  #log: Log
  /** The credentials are revoked. */
  refusing = false
  /** Each fetch that reaches this offset is damaged. */
  damagedFrom: bigint | null = null
  /** The batch at this offset is larger than the reader's limit. */
  hugeFrom: bigint | null = null
  #group: { readonly offset: bigint; readonly metadata: string } | null = null

  constructor(stage: Stage, log: Log) {
    this.#stage = stage
    this.#log = log
  }

  get log(): Log {
    return this.#log
  }

  /**
   * From now on another cluster answers.
   * @param carriesCommits the new cluster has the group's commit, found by its time. DTS does this sometimes. It does not
   *   document what happens to the other parts of the metadata.
   */
  switchTo(log: Log, carriesCommits: boolean): void {
    const { metadata = '' } = this.#group ?? {}
    const [time = ''] = metadata.split('|')
    const { offset } = log.findTime(Number(time), this.#stage.scenario.lookUp)
    const isCarried = carriesCommits && this.#group !== null && offset !== null
    const isWhole = this.#stage.random.chance(0.8)
    this.#group = isCarried ? { offset, metadata: isWhole ? metadata : time } : null
    this.#log = log
    this.damagedFrom = null
    this.hugeFrom = null
  }

  async open(run: ObservedRun): Promise<Stream> {
    const { random, facts } = this.#stage
    await request(this.#stage, run, random.whole(5, 200), () => {
      if (this.refusing) {
        facts.fault(26)
        throw new DtsError('AUTHENTICATION_FAILED', 'refused', { retryable: false })
      }
    })
    // A connection stays with its log. Only a new connection reaches another log.
    const log = this.#log
    if (!run.isPlanned || run.log !== log) run.endAtOpen = log.end
    run.log = log
    if (run.kind === 'poll') this.#stage.mayPause(0.05)
    const ask: Ask = async (what, serve) =>
      await request(this.#stage, run, random.whole(1, 10), () => {
        if (log !== this.#log) throw failed('the connection was reset')
        if (strikes(this.#stage, run, this.#stage.scenario.rates.fetchFails)) {
          run.disturbed = true
          throw failed(what)
        }
        return serve()
      })
    return {
      topic: 'topic',
      partition: 0,
      clusterId: log.clusterId,
      range: () =>
        ask('range', () => {
          if (this.#strikesOffset(run)) return { earliest: log.earliest, end: 0n }
          return { earliest: log.earliest, end: log.end }
        }),
      offsetForTime: (seconds) =>
        ask('time', () => {
          const { offset, what } = log.findTime(seconds, this.#stage.scenario.lookUp)
          facts.fault(24)
          facts.happened(what)
          return offset
        }),
      fetch: (from, { maxWaitMs }) => this.#fetch(run, log, from, maxWaitMs, ask),
      committed: async () => {
        const { deployment } = this.#stage.scenario.config
        run.groupCommit = undefined
        const found = await ask('committed', () => this.#group)
        const commit = found && groupPosition(found.offset, found.metadata, deployment)
        run.groupCommit = commit
        return commit
      },
      commit: (offset, timestamp, generation) => {
        run.groupGeneration = generation
        return ask('commit', () => this.#commitToGroup(run, log, offset, timestamp, generation))
      },
      close: async () => {},
    }
  }

  async #fetch(run: ObservedRun, log: Log, from: bigint, maxWaitMs: number, ask: Ask): Promise<Fetched> {
    const { facts, random, scenario } = this.#stage
    if (strikes(this.#stage, run, scenario.rates.fetchFails)) {
      facts.fault(18)
      run.disturbed = true
      return await ask('damaged', () => {
        throw new DtsError('BATCH_CORRUPT', 'checksum', { retryable: true })
      })
    }
    if (this.#strikesOffset(run)) {
      run.disturbed = true
      return await ask('spurious', () => {
        throw outOfRange(from)
      })
    }
    // An answer takes about ten milliseconds, so 100 empty fetches in a row mean a loop without a wait.
    run.emptyFetches = from >= log.end && maxWaitMs < 50 ? run.emptyFetches + 1 : 0
    if (run.emptyFetches > 100) facts.violate('I6', `${run.owner} fetches in a loop without a pause`)
    if (from >= log.end && maxWaitMs > 0) {
      if (!survives(this.#stage, run)) return await never()
      await run.machine.request(maxWaitMs, 0, () => undefined)
    }
    return await ask('fetch', () => {
      // Recovery scans many records, so it gets more of them in one fetch.
      const most = run.kind === 'recovery' ? random.pick([8, 40, 100]) : random.pick([1, 3, 10, 40])
      const fetched = log.read(from, most, random)
      const reaches = (offset: bigint | null) =>
        offset !== null && from <= offset && fetched.nextOffset > offset
      if (reaches(this.damagedFrom)) {
        facts.fault(18)
        throw new DtsError('BATCH_CORRUPT', 'checksum', { retryable: true })
      }
      if (reaches(this.hugeFrom)) {
        facts.fault(19)
        throw new DtsError('BATCH_TOO_LARGE', 'a batch of 2^31 bytes', { retryable: false })
      }
      return fetched
    })
  }

  /** The broker accepts a commit. Its reply may be lost, and the commit may take effect late. */
  #commitToGroup(run: ObservedRun, log: Log, offset: bigint, timestamp: number, generation: number): void {
    const { random, facts, clock, scenario } = this.#stage
    facts.groupCommitted({ generation, offset })
    const { clusterId } = log
    const metadata = writeMark(scenario.config.deployment, timestamp, { generation, offset, clusterId })
    const apply = () => {
      if (log === this.#log) this.#group = { offset, metadata }
    }
    const isDisturbed = strikes(this.#stage, run, scenario.rates.fetchFails)
    if (isDisturbed && random.chance(0.5)) clock.after(random.whole(1, 60) * 1_000, apply)
    else apply()
    if (isDisturbed) throw failed('commit')
  }

  #strikesOffset(run: ObservedRun): boolean {
    if (!strikes(this.#stage, run, this.#stage.scenario.rates.offsetSpurious)) return false
    this.#stage.facts.fault(21)
    this.#stage.facts.spurious = true
    return true
  }
}

function failed(what: string): DtsError {
  return new DtsError('BROKER_FAILED', `${what} failed`, { retryable: true })
}
