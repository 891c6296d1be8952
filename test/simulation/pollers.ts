import { CheckpointStore } from '../../lib/checkpoint/store.ts'
import { lambdaInvoke } from '../../lib/dispatch/invoke.ts'
import { DtsError } from '../../lib/errors.ts'
import { poll } from '../../lib/poll/poll.ts'
import type { CheckpointTable } from './checkpoint-table.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { Functions } from './functions.ts'
import type { Stage } from './hazards.ts'
import { Machine } from './machine.ts'
import { type ObservedRun, observe } from './observed.ts'
import type { Broker } from './stream.ts'

/** The services that a run of the poller uses. */
export interface Parts {
  readonly broker: Broker
  readonly table: CheckpointTable
  readonly functions: Functions
  readonly deadLetters: DeadLetters
}

/** A slot of the schedule. Its process stays warm until it dies. */
interface Place {
  machine: Machine
  run: ObservedRun | null
  abort: AbortController
  /** How many processes this slot has had. */
  processes: number
}

const endsOfWork: ReadonlySet<string> = new Set([
  'end-of-stream',
  'records',
  'bytes',
  'time',
  'handler-failed',
  'handed-over',
])

/** The pollers that the schedule starts. Their processes freeze and die. */
export class Pollers {
  readonly #stage: Stage
  readonly #parts: Parts
  readonly #places: Place[]
  readonly #ended: () => void
  #stopped = false
  #runs = 0

  /** @param ended called when a run ends, by itself or by a fault */
  constructor(stage: Stage, parts: Parts, ended: () => void) {
    this.#stage = stage
    this.#parts = parts
    this.#ended = ended
    this.#places = stage.scenario.skews.map((skewMs, index) => ({
      machine: new Machine(`m${index + 1}`, stage.clock, skewMs),
      run: null,
      abort: new AbortController(),
      processes: 1,
    }))
  }

  get machines(): readonly Machine[] {
    return this.#places.map(({ machine }) => machine)
  }

  /** Whether a poller runs now. */
  get areWorking(): boolean {
    return this.#places.some(({ run }) => run !== null && !run.ended && run.epoch !== null)
  }

  start(): void {
    const { clock, random, scenario } = this.#stage
    for (const [index, place] of this.#places.entries()) {
      const intervalMs = scenario.intervalsMs[index] ?? 60_000
      const tick = () => {
        if (this.#stopped) return
        this.#tick(place)
        clock.after(intervalMs, tick)
      }
      clock.after(random.whole(0, intervalMs), tick)
    }
  }

  stop(): void {
    this.#stopped = true
  }

  #tick(place: Place): void {
    const { clock } = this.#stage
    if (!place.machine.alive) {
      place.processes += 1
      const { name, skewMs } = place.machine
      place.machine = new Machine(`${name.replace(/\..*/, '')}.${place.processes}`, clock, skewMs)
      place.run = null
    }
    if (place.run !== null && !place.run.ended && place.run.deadline > clock.now) return
    this.#begin(place)
  }

  /** Starts a new invocation in the slot's process, even if an older one still has work there. */
  #begin(place: Place): void {
    const { facts, clock, scenario, random } = this.#stage
    const { broker, table, functions, deadLetters } = this.#parts
    if (place.run !== null && !place.run.ended) facts.fault(6)
    const { machine } = place
    place.abort.abort()
    place.abort = new AbortController()
    machine.thaw()
    this.#runs += 1
    const run = observe({
      kind: 'poll',
      owner: `${machine.name}/r${this.#runs}`,
      machine,
      signal: place.abort.signal,
      startedAt: clock.now,
      deadline: clock.now + scenario.runMs,
      steady: false,
    })
    place.run = run
    facts.begin(run)
    clock.after(scenario.runMs, () => {
      // At its timeout, Lambda ends the invocation together with its process.
      if (!run.ended && !machine.frozen && place.run === run) this.#stage.kill(run)
    })
    poll({
      config: scenario.config,
      store: new CheckpointStore(table.client(run), 'checkpoints', 'topic', 0),
      openStream: () => broker.open(run),
      invoke: lambdaInvoke(functions.requests(run)),
      putAside: deadLetters.putAside(run),
      now: machine.now,
      random: random.next,
      sleep: machine.sleep,
      remainingMs: () => run.deadline - clock.now,
      owner: run.owner,
      signal: run.signal,
    }).then(
      (summary) => this.#end(run, summary.ended, endsOfWork.has(summary.ended)),
      (error: unknown) => this.#fail(run, error),
    )
  }

  #end(run: ObservedRun, why: string, didWork: boolean): void {
    const { facts, writes } = this.#stage
    facts.log(() => `${run.owner} ends: ${why}`)
    run.ended = true
    if (didWork) {
      writes.endsWell(run)
      const { offset } = facts.checkpoint ?? { offset: 0n }
      if (['time', 'records', 'bytes'].includes(why) && offset < this.#parts.broker.log.end) facts.fault(27)
    }
    this.#ended()
  }

  #fail(run: ObservedRun, error: unknown): void {
    if (!(error instanceof DtsError)) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#stage.facts.violate('error', text)
    } else if (error.code === 'CHECKPOINT_OUT_OF_RANGE' && error.retryable)
      this.#stage.facts.happened('a poller waited for the log to be filled')
    this.#end(run, error instanceof DtsError ? `${error.code} ${error.message}` : 'error', false)
  }

  /** A frozen process continues, perhaps with a new invocation beside the old one. */
  thawed(run: ObservedRun): void {
    const { facts, clock, random, scenario } = this.#stage
    const { machine } = run
    const place = this.#places.find((candidate) => candidate.machine === machine)
    if (place === undefined) return
    if (random.chance(scenario.rates.thawIntoNew)) {
      this.#begin(place)
      return
    }
    const epoch = facts.checkpoint?.epoch ?? 0
    if (place.run === run && !run.ended && run.epoch !== null && run.epoch < epoch) facts.fault(5)
    machine.thaw()
    clock.after(Math.max(1, run.deadline - clock.now), () => {
      if (place.run === run && !run.ended) this.#stage.kill(run)
    })
  }
}
