import { fromItem } from '../../lib/checkpoint/item.ts'
import type { Checkpoint } from '../../lib/checkpoint/types.ts'
import { laneName } from '../../lib/dispatch/function-queue.ts'
import type { GroupPosition, MarkedPlace } from '../../lib/kafka/commit-mark.ts'
import type { Item } from '../support/item-table.ts'
import type { Log } from './log.ts'
import type { Machine } from './machine.ts'
import { type Entry, laneOf, plainDialect } from './source.ts'
import type { TableFunction } from './tables.ts'

export interface Acked {
  readonly name: string
  readonly index: number
  readonly at: number
  readonly order: number
}

/** Everything that the checkers know about one run of the poller or of recovery. */
export interface ObservedRun {
  readonly kind: 'poll' | 'recovery'
  readonly owner: string
  readonly machine: Machine
  readonly signal: AbortSignal
  readonly startedAt: number
  /** When its Lambda invocation ends, by the world's clock. */
  readonly deadline: number
  /** No fault hits it. */
  readonly steady: boolean
  /** It dies after this many more awaits; null: it does not die. */
  dyingIn: number | null
  /** Its epoch; null until it has the lease. */
  epoch: number | null
  /** The checkpoint that it took over. */
  base: Checkpoint | null
  /** The checkpoint that it read before it decided. */
  read: Checkpoint | null
  /** The commit that it read from the consumer group; undefined: it did not read the group. */
  groupCommit: GroupPosition | null | undefined
  /** The generation that it committed to the group. */
  groupGeneration: number | null
  /** The log that it is connected to, and the end of that log when the connection opened. */
  log: Log | null
  endAtOpen: bigint
  /** It applies an earlier decision, which does not include later records. */
  isPlanned: boolean
  /** The person who runs it accepts that changes are lost. */
  acceptsLoss: boolean
  ended: boolean
  /** Empty fetches in a row, without a wait. */
  emptyFetches: number
  invocations: number
  /** Acknowledged changes that no stored checkpoint covers yet. */
  readonly acked: Acked[]
  readonly ackedKeys: Set<string>
  /** A fault delayed its commits, so the checks of commit times do not apply. */
  disturbed: boolean
  /** For each function without parallel lanes, the last change that was sent. */
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
    groupCommit: undefined,
    groupGeneration: null,
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

/** The changes that a checkpoint says are done, as places in the order of the source. Those compare across logs. */
export class Coverage {
  /** Everything below this place in the order of the source is done. */
  readonly below: number
  /** For each lane, the last place that is done. */
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

/** A function, all changes that it must receive, and their state. */
export class ObservedFunction {
  readonly name: string
  readonly definition: TableFunction
  readonly events: readonly Entry[]
  readonly #lanes: readonly (readonly number[])[]
  /** The index of a change, by its place in the order of the source. */
  readonly indexOf: ReadonlyMap<number, number>
  /** The handler handled the change, or the change is in the dead-letter queue. */
  readonly done: boolean[]
  readonly putAside: boolean[]
  /** A person accepted its loss. */
  readonly lost: boolean[]
  /** A person moved the stream past it. If it was done, an older change may have been done again after it. */
  readonly passed: boolean[]
  /** A move went back before it although it was done. The next delivery must have the mark `replay`. */
  readonly isReplay: boolean[]
  /** The run that sent it last. */
  readonly handedBy: (ObservedRun | null)[]
  readonly failures: number[]
  readonly firstFailure: number[]
  /** It failed as the only change of its batch, so it caused the failure. */
  readonly failedAlone: boolean[]
  /** Everything below this index is done or lost. */
  #prefix = 0

  constructor(definition: TableFunction, entries: readonly Entry[]) {
    this.name = definition.name
    this.definition = definition
    this.events = entries.filter(({ functions }) => functions.includes(definition.name))
    this.#lanes = [false, true].map((untagged) =>
      this.events.map((entry) =>
        laneOf(entry, definition.delivery.concurrency, { ...plainDialect, untagged }),
      ),
    )
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

  /** The first change that is neither done nor lost, or the number of changes if there is none. */
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

  /** Whether the two must keep their order. */
  conflict(left: number, right: number): boolean {
    if (this.definition.delivery.concurrency === 1) return true
    const [one, other] = [this.events[left], this.events[right]]
    if (one === undefined || other === undefined || one.isDdl || other.isDdl) return true
    const { keys } = other
    if (one.keys === null || keys === null) return one.table === other.table
    return one.keys.some((key) => keys.includes(key))
  }

  laneName(index: number, { dialect }: Log): string {
    const lane = this.#lanes[Number(dialect.untagged)]?.[index] ?? 0
    return laneName(this.name, lane, this.definition.delivery.concurrency)
  }

  /** Whether a checkpoint says that the change is done. */
  isCovered(index: number, { below, lanes, log }: Coverage): boolean {
    const event = this.events[index]
    if (event === undefined) return false
    return event.index < below || (lanes.get(this.laneName(index, log)) ?? -1) >= event.index
  }
}

/** Whether the group's commit that a run read is ours and ahead of the item: then the item was restored. */
export function groupIsAhead({ groupCommit }: ObservedRun, item: MarkedPlace): boolean {
  const place = groupCommit?.mark.whose === 'ours' ? groupCommit.mark.place : null
  return place !== null && isOlder(item, place)
}

export function isOlder(left: MarkedPlace, right: MarkedPlace): boolean {
  return (
    left.generation < right.generation || (left.generation === right.generation && left.offset < right.offset)
  )
}

const parsed = new WeakMap<Item, Checkpoint>()

/** The stored item, parsed by the store's own code. */
export function toCheckpoint(item: Item): Checkpoint {
  let checkpoint = parsed.get(item)
  if (checkpoint === undefined) {
    checkpoint = fromItem('topic/0', item)
    parsed.set(item, checkpoint)
  }
  return checkpoint
}

/** The invariants of docs/spec.md that a world can violate. */
export const invariants = ['I1', 'I2', 'I3', 'I4', 'I5', 'I6'] as const

export interface Violation {
  readonly seed: number
  readonly invariant: (typeof invariants)[number] | 'error'
  readonly message: string
  /** Milliseconds from the start of the world. */
  readonly at: number
}
