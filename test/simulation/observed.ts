import { fromItem } from '../../lib/checkpoint/item.ts'
import type { Checkpoint } from '../../lib/checkpoint/types.ts'
import { laneName } from '../../lib/dispatch/function-queue.ts'
import type { GroupPosition, MarkedPlace } from '../../lib/kafka/commit-mark.ts'
import type { Item } from '../support/item-table.ts'
import type { Log } from './log.ts'
import type { Machine } from './machine.ts'
import { type Entry, strandOf } from './source.ts'
import type { TableFunction } from './tables.ts'

export interface Acked {
  readonly name: string
  readonly index: number
  readonly at: number
  readonly order: number
}

/** One run of the poller or of recovery, as somebody sees it who sees everything. */
export interface ObservedRun {
  readonly kind: 'poll' | 'recovery'
  readonly owner: string
  readonly machine: Machine
  readonly signal: AbortSignal
  readonly startedAt: number
  /** The end of its Lambda invocation, by the world's clock. */
  readonly deadline: number
  /** No fault strikes it. */
  readonly steady: boolean
  /** How many more awaits it lives through; null: it is not chosen to die. */
  dyingIn: number | null
  /** Null until it has the lease. */
  epoch: number | null
  /** The checkpoint that it took over. */
  base: Checkpoint | null
  /** What it read before it decided anything. */
  read: Checkpoint | null
  /** What the consumer group has told it; undefined: it was told nothing. */
  told: GroupPosition | null | undefined
  /** The generation that it has told the group of. */
  tells: number | null
  /** The log that it is connected to, and the end of that when it looked for where to go on. */
  log: Log | null
  endAtOpen: bigint
  /** It applies what it decided on before: what came since is no part of that. */
  isPlanned: boolean
  /** Whoever runs it said that changes may be lost. */
  acceptsLoss: boolean
  ended: boolean
  /** In a row, and without a wait. */
  emptyFetches: number
  invocations: number
  /** Changes whose acknowledgement has come back and that no stored checkpoint covers yet. */
  readonly acked: Acked[]
  readonly ackedKeys: Set<string>
  /** Something kept it from committing: what is checked about the time of commits does not hold. */
  disturbed: boolean
  /** Of a function without parallel lanes, the furthest change that was handed out. */
  readonly furthest: Map<string, number>
  readonly duplicates: Set<string>
}

export function observe(
  run: Pick<ObservedRun, 'kind' | 'owner' | 'machine' | 'signal' | 'startedAt' | 'deadline' | 'steady'>,
): ObservedRun {
  return {
    ...run,
    dyingIn: null,
    epoch: null,
    base: null,
    read: null,
    told: undefined,
    tells: null,
    log: null,
    endAtOpen: 0n,
    isPlanned: false,
    acceptsLoss: false,
    ended: false,
    emptyFetches: 0,
    invocations: 0,
    acked: [],
    ackedKeys: new Set(),
    disturbed: false,
    furthest: new Map(),
    duplicates: new Set(),
  }
}

/** What a checkpoint says is done, in the order of the source: the same words for every log. */
export class Coverage {
  /** Everything below this place in the order of the source is done. */
  readonly below: number
  /** By lane, the place through which it is done. */
  readonly lanes: ReadonlyMap<string, number>
  readonly log: Log

  constructor({ offset, lanes }: Pick<Checkpoint, 'offset' | 'lanes'>, log: Log) {
    this.log = log
    this.below = log.placeOf(offset)
    const places = new Map<string, number>()
    for (const [name, { through }] of Object.entries(lanes)) {
      const place = through === null ? undefined : log.slotAt(through)?.entry?.index
      if (place !== undefined) places.set(name, place)
    }
    this.lanes = places
  }
}

/** What is known of a function and all changes that it should get. */
export class ObservedFunction {
  readonly name: string
  readonly definition: TableFunction
  readonly events: readonly Entry[]
  readonly lanes: readonly number[]
  /** By the place in the order of the source. */
  readonly indexOf: ReadonlyMap<number, number>
  /** The handler has done its work, or the change is in the dead-letter queue. */
  readonly done: boolean[]
  readonly putAside: boolean[]
  /** Somebody accepted that it is lost. */
  readonly lost: boolean[]
  /** A move went past it by a person's word: it may have been done, and an older change done again over it. */
  readonly passed: boolean[]
  /** A checkpoint had it as done, and was moved back before it: whoever sends it again has to say so. */
  readonly isReplay: boolean[]
  /** By which run it was handed out last. */
  readonly handedBy: (ObservedRun | null)[]
  readonly failures: number[]
  readonly firstFailure: number[]
  /** It failed while nothing else of its batch was left: the fault was its own. */
  readonly failedAlone: boolean[]
  /** Everything below is done or lost. */
  #prefix = 0

  constructor(definition: TableFunction, entries: readonly Entry[]) {
    this.name = definition.name
    this.definition = definition
    this.events = entries.filter(({ functions }) => functions.includes(definition.name))
    this.lanes = this.events.map((entry) => strandOf(entry, definition.delivery.concurrency))
    this.indexOf = new Map(this.events.map((entry, index) => [entry.index, index]))
    this.done = this.events.map(() => false)
    this.putAside = this.events.map(() => false)
    this.lost = this.events.map(() => false)
    this.passed = this.events.map(() => false)
    this.isReplay = this.events.map(() => false)
    this.handedBy = this.events.map(() => null)
    this.failures = this.events.map(() => 0)
    this.failedAlone = this.events.map(() => false)
    this.firstFailure = this.events.map(() => Number.POSITIVE_INFINITY)
  }

  isOpen(index: number): boolean {
    return this.done[index] !== true && this.lost[index] !== true
  }

  /** The first change that is neither done nor lost; the number of changes when all are. */
  get prefix(): number {
    while (this.#prefix < this.events.length && !this.isOpen(this.#prefix)) this.#prefix += 1
    return this.#prefix
  }

  /** The first change that is not below the committed offset. */
  prefixCovered({ below }: Coverage): number {
    let [low, high] = [0, this.events.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.events[middle]?.index ?? below) < below) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Whether the two may not change places. */
  conflict(left: number, right: number): boolean {
    if (this.definition.delivery.concurrency === 1) return true
    const [a, b] = [this.events[left]?.keys ?? null, this.events[right]?.keys ?? null]
    if (a === null || b === null) return true
    return a.some((key) => b.includes(key))
  }

  /** Without keys, all changes of a function come to its first lane. */
  laneName(index: number, { hand }: Log): string {
    const { concurrency } = this.definition.delivery
    const lane = hand.untagged ? 0 : (this.lanes[index] ?? 0)
    return laneName(this.name, lane, concurrency)
  }

  /** Whether a checkpoint says that the change is done. */
  isCovered(index: number, { below, lanes, log }: Coverage): boolean {
    const event = this.events[index]
    if (event === undefined) return false
    return event.index < below || (lanes.get(this.laneName(index, log)) ?? -1) >= event.index
  }
}

/** Whether the group has told a run of a position of ours that is ahead of an item, which then was restored. */
export function toldAhead({ told }: ObservedRun, item: MarkedPlace): boolean {
  const place = told?.mark.whose === 'ours' ? told.mark.place : null
  return place !== null && isBehind(item, place)
}

export function isBehind(left: MarkedPlace, right: MarkedPlace): boolean {
  return (
    left.generation < right.generation || (left.generation === right.generation && left.offset < right.offset)
  )
}

const parsed = new WeakMap<Item, Checkpoint>()

/** The stored checkpoint in the store's own words. */
export function toCheckpoint(item: Item): Checkpoint {
  let checkpoint = parsed.get(item)
  if (checkpoint === undefined) {
    checkpoint = fromItem('topic/0', item)
    parsed.set(item, checkpoint)
  }
  return checkpoint
}

export interface Violation {
  readonly seed: number
  readonly invariant: 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'error'
  readonly message: string
  /** Milliseconds from the start of the world. */
  readonly at: number
}
