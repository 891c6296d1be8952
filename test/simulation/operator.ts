import { CheckpointStore } from '../../lib/checkpoint/store.ts'
import { DtsError } from '../../lib/errors.ts'
import { type Inspection, inspectStream } from '../../lib/recovery/examine/inspect.ts'
import {
  parseRecoveryEvent,
  type RecoverDependencies,
  type RecoveryAnswer,
  recover,
  recoveryEventSchema,
} from '../../lib/recovery/recover.ts'
import { recommended } from '../support/recommended.ts'
import type { Stage } from './hazards.ts'
import { Machine } from './machine.ts'
import { type ObservedRun, observe } from './observed.ts'
import type { Parts } from './pollers.ts'
import type { Random } from './random.ts'

type Event = Readonly<Record<string, unknown>>

/** The event of recovery that an inspection recommends; null if it recommends none. */
function adviceOf(inspection: Inspection): Event | null {
  const step = recommended(inspection)
  return step === null || !recoveryEventSchema.safeParse(step).success ? null : { ...step }
}

/** The people who operate the stream. They pause it, and restore it with the commands that recovery recommends. */
export class Operator {
  readonly #stage: Stage
  readonly #parts: Parts
  readonly #isPollerAtWork: () => boolean
  #stopped = false
  #visits = 0
  /** Recoveries that still run. A dead one does not count. */
  readonly #open = new Set<ObservedRun>()

  constructor(stage: Stage, parts: Parts, isPollerAtWork: () => boolean) {
    this.#stage = stage
    this.#parts = parts
    this.#isPollerAtWork = isPollerAtWork
  }

  /** Whether a recovery runs, or a late write of one may still arrive. */
  get isBusy(): boolean {
    for (const run of this.#open) if (run.ended || !run.machine.alive) this.#open.delete(run)
    return this.#open.size > 0 || this.#parts.table.underway > 0
  }

  stop(): void {
    this.#stopped = true
  }

  // ── pause and resume, without faults ──

  async pause(): Promise<void> {
    const { facts, random, clock } = this.#stage
    if (facts.checkpoint?.state !== 'RUNNING') return
    await this.#steadily({ action: 'pause', by: 'operator' })
    clock.after(random.pick([500, 6_000, 30_000]), () => void this.resume())
  }

  /** @returns the error that a retry cannot remove */
  async resume(): Promise<DtsError | null> {
    const { checkpoint } = this.#stage.facts
    if (this.#stopped || checkpoint === null || checkpoint.state === 'RUNNING') return null
    const error = await this.#steadily({ action: 'resume', by: 'operator' })
    if (error?.retryable !== true) return error
    this.#stage.clock.after(1_000, () => void this.resume())
    return null
  }

  /** Runs the event on a machine without faults. @returns the error of a refusal */
  async #steadily(event: Event): Promise<DtsError | null> {
    const run = this.#run(new Machine('desk', this.#stage.clock, 0), true)
    const store = new CheckpointStore(this.#parts.table.operatorClient(), 'checkpoints', 'topic', 0)
    try {
      await recover(parseRecoveryEvent(event), { ...this.#dependencies(run), store })
      return null
    } catch (error) {
      if (error instanceof DtsError) return error
      this.#stage.facts.violate('error', error instanceof Error ? (error.stack ?? '') : String(error))
      return null
    } finally {
      run.ended = true
    }
  }

  // ── visits ──

  /** From now on a person visits the stream every few seconds. */
  start(): void {
    const { clock, random } = this.#stage
    const tick = () => {
      if (this.#stopped) return
      void this.#visit()
      clock.after(this.#stage.quiet ? 5_000 : random.whole(3, 25) * 1_000, tick)
    }
    clock.after(random.whole(10, 30) * 1_000, tick)
  }

  async #visit(): Promise<void> {
    const { random, facts, quiet } = this.#stage
    const first = this.#run(this.#machine())
    const inspection = await this.#guard(first, () => this.#inspect(first))
    if (facts.checkpoint === null && facts.damaged) return await this.#bringBack()
    if (inspection === null || inspection.stored === null) return
    const isHalted = inspection.stored.state === 'HALTED'
    // People mostly leave a running stream alone.
    if (!isHalted && (quiet || !random.chance(0.15))) return
    const event = this.#choose(inspection)
    if (event === null) return
    facts.log(() => `the operator runs ${JSON.stringify(event)}`)
    if (this.#isPollerAtWork() && event.action === 'reset') {
      facts.fault(23)
      facts.happened('recovery against a live poller')
    }
    const together = quiet || !random.chance(0.2) ? 1 : 2
    if (together > 1 && event.action === 'reset') {
      facts.fault(23)
      facts.happened('two recoveries at once')
    }
    await Promise.all(Array.from({ length: together }, () => this.#perform(event)))
  }

  /** The item was deleted. The stream continues from the group's commit, or from the earliest record if DTS lost that. */
  async #bringBack(): Promise<void> {
    const { random, quiet } = this.#stage
    const isPatient = !quiet && random.chance(0.5)
    if (isPatient) return
    const to = random.chance(0.7) ? 'committed' : 'earliest'
    await this.#perform({ action: 'reset', to, acceptLoss: to === 'earliest' })
  }

  async #inspect(run: ObservedRun): Promise<Inspection | null> {
    const { store, openStream, now, routes, config, ghostTables } = this.#dependencies(run)
    const { unroutedTables } = config
    const stored = await store.read()
    if (stored === null) return null
    return await inspectStream(
      stored,
      await openStream(),
      { checks: [], routes, hasQueue: true, unroutedTables, ghostTables },
      { now, mayContinue: () => true },
    )
  }

  #choose(inspection: Inspection): Event | null {
    const { random, quiet } = this.#stage
    const { stored } = inspection
    const advised = adviceOf(inspection)
    if (stored?.halt?.code === 'PAUSED' && random.chance(0.7)) return { action: 'resume' }
    if (!quiet && random.chance(stored?.state === 'HALTED' ? 0.15 : 0.5)) {
      return { action: 'reset', to: target(random, inspection), acceptLoss: random.chance(0.3) }
    }
    if (advised?.action === 'resume') this.#parts.functions.fixed = true
    if (advised?.action === 'inspect') return null
    if (advised !== null) return advised
    return random.chance(0.5) ? { action: 'pause' } : { action: 'reset' }
  }

  /** Performs an event, sometimes after a dry run. */
  async #perform(event: Event): Promise<void> {
    const run = this.#run(this.#machine())
    const { random, quiet, scenario, facts, writes } = this.#stage
    if (!quiet && random.chance(scenario.rates.recoveryKilled)) run.dyingIn = random.whole(1, 40)
    await this.#guard(run, async () => {
      let chosen = event
      if (event.action === 'reset' && random.chance(0.5)) {
        const dry = await this.#recover(run, { ...event, dryRun: true })
        if (dry.action !== 'reset') return
        // A person reads the answer of the dry run first.
        if (!quiet) await run.machine.sleep(random.pick([0, 0, 2_000, 15_000]), run.signal)
        // A person accepts the loss, or waits for another cluster that still has the changes.
        if (dry.lost !== null && !quiet && random.chance(0.5)) return
        if (dry.token !== null && random.chance(0.6)) {
          chosen = { action: 'reset', token: dry.token, acceptLoss: dry.lost !== null }
          run.isPlanned = true
          facts.happened('a dry run was applied by its token')
        }
      }
      const answer = await this.#recover(run, chosen)
      if (answer.action === 'reset') writes.moves.stated(run, answer)
    })
  }

  async #recover(run: ObservedRun, event: Event): Promise<RecoveryAnswer> {
    run.read = null
    run.acceptsLoss = event.acceptLoss === true
    const answer = await recover(parseRecoveryEvent({ ...event, by: 'operator' }), this.#dependencies(run))
    this.#stage.facts.log(() => `${run.owner} is told ${JSON.stringify(answer)}`)
    return answer
  }

  /** Returns null if recovery refused or failed. The next visit tries again. */
  async #guard<Result>(run: ObservedRun, action: () => Promise<Result>): Promise<Result | null> {
    const { facts } = this.#stage
    try {
      return await action()
    } catch (error) {
      if (error instanceof DtsError) {
        facts.log(() => `${run.owner} gets ${error.code} ${error.message}`)
        facts.happened(`recovery was refused: ${error.code}`)
      } else {
        facts.violate('error', error instanceof Error ? (error.stack ?? error.message) : String(error))
      }
      return null
    } finally {
      run.ended = true
    }
  }

  #machine(): Machine {
    const { clock, random, scenario } = this.#stage
    this.#visits += 1
    return new Machine(`op${this.#visits}`, clock, random.pick([0, scenario.skews[0] ?? 0]))
  }

  #run(machine: Machine, steady = false): ObservedRun {
    const { clock, facts } = this.#stage
    const run = observe({
      kind: 'recovery',
      owner: `${machine.name}/${++this.#visits}`,
      machine,
      signal: new AbortController().signal,
      startedAt: clock.now,
      deadline: Number.POSITIVE_INFINITY,
      steady,
    })
    facts.begin(run)
    this.#open.add(run)
    return run
  }

  #dependencies(run: ObservedRun): RecoverDependencies {
    const { scenario } = this.#stage
    const unused = () => {
      throw new TypeError('the simulation does not provide this dependency')
    }
    return {
      store: new CheckpointStore(this.#parts.table.client(run), 'checkpoints', 'topic', 0),
      openStream: () => this.#parts.broker.open(run),
      now: run.machine.now,
      owner: run.owner,
      config: scenario.config,
      routes: scenario.config.routes,
      ghostTables: scenario.config.ghostTables,
      handlerTimeoutMs: scenario.config.handlerTimeoutMs,
      functionNames: [],
      passwordNote: () => null,
      probeFunction: unused,
      deadLetters: undefined,
      probeBucket: undefined,
      invoke: unused,
      remainingMs: () => Number.POSITIVE_INFINITY,
    }
  }
}

/** A place that a person may choose, sensible or not. */
function target(random: Random, { found, ledger }: Inspection): unknown {
  const { first = 0, last = 0 } = found?.times ?? {}
  const [earliest, end] = [BigInt(found?.earliest ?? 0), BigInt(found?.end ?? 0)]
  const offset = earliest + BigInt(random.whole(-2, Number(end - earliest) + 2))
  // Few moves can be undone, so people mostly undo one that can.
  const [newest, ...older] = ledger.flatMap(({ entry, from }) =>
    entry !== null && from?.clusterId === found?.clusterId ? [entry] : [],
  )
  if (newest !== undefined && random.chance(0.7)) return { ledger: random.pick([newest, ...older]) }
  // These come often: few offsets lie where times go back.
  const byOffset = { offset: String(offset < 0n ? 0n : offset) }
  return random.pick<unknown>([
    'earliest',
    'latest',
    'committed',
    { timestamp: random.whole(first - 2, last + 2) },
    byOffset,
    byOffset,
    byOffset,
    { ledger: random.whole(0, 2) },
  ])
}
