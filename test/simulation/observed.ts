import { fromItem } from '../../lib/checkpoint/item.ts'
import type { Checkpoint } from '../../lib/checkpoint/types.ts'
import type { Item } from './dynamodb.ts'
import { type Entry, strandOf } from './entries.ts'
import type { Machine } from './machine.ts'
import type { Scenario, TableFunction } from './scenario.ts'

export interface Acked {
  readonly name: string
  readonly index: number
  readonly at: number
  readonly order: number
}

/** One run of the poller, as somebody sees it who sees everything. */
export interface ObservedRun {
  readonly owner: string
  readonly machine: Machine
  readonly signal: AbortSignal
  readonly startedAt: number
  /** The end of its Lambda invocation, by the world's clock. */
  readonly deadline: number
  /** Null until it has the lease. */
  epoch: number | null
  /** The checkpoint that it took over. */
  base: Checkpoint | null
  ended: boolean
  invocations: number
  /** Changes whose acknowledgement has come back and that no stored checkpoint covers yet. */
  readonly acked: Acked[]
  readonly ackedKeys: Set<string>
  /** Something kept it from committing: what is checked about the time of commits does not hold. */
  disturbed: boolean
  /** Of a function without parallel strands, the furthest change that was handed out. */
  readonly furthest: Map<string, number>
  readonly duplicates: Set<string>
}

/** What is known of a function and all changes that it should get. */
export class ObservedFunction {
  readonly name: string
  readonly definition: TableFunction
  readonly events: readonly Entry[]
  readonly strands: readonly number[]
  readonly index: ReadonlyMap<bigint, number>
  /** The handler has done its work, or the change is in the dead-letter queue. */
  readonly done: boolean[]
  readonly putAside: boolean[]
  /** By which run it was handed out last. */
  readonly handedBy: (ObservedRun | null)[]
  readonly failures: number[]
  readonly firstFailure: number[]
  /** It failed while nothing else of its batch was left: the fault was its own. */
  readonly failedAlone: boolean[]
  /** Everything below is done. */
  #prefix = 0

  constructor(definition: TableFunction, scenario: Scenario) {
    this.name = definition.name
    this.definition = definition
    this.events = scenario.entries.filter(({ functions }) => functions.includes(definition.name))
    this.strands = this.events.map((entry) => strandOf(entry, definition.delivery.concurrency))
    this.index = new Map(this.events.map(({ offset }, index) => [offset, index]))
    this.done = this.events.map(() => false)
    this.putAside = this.events.map(() => false)
    this.handedBy = this.events.map(() => null)
    this.failures = this.events.map(() => 0)
    this.failedAlone = this.events.map(() => false)
    this.firstFailure = this.events.map(() => Number.POSITIVE_INFINITY)
  }

  /** The first change that is neither done nor put aside; the number of changes when all are. */
  get prefix(): number {
    while (this.#prefix < this.events.length && this.done[this.#prefix]) this.#prefix += 1
    return this.#prefix
  }

  /** The first change that is not below the committed offset. */
  prefixCovered({ offset }: Pick<Checkpoint, 'offset'>): number {
    const { events } = this
    let [low, high] = [0, events.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((events[middle]?.offset ?? offset) < offset) low = middle + 1
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

  laneName(index: number): string {
    const { concurrency } = this.definition.delivery
    return concurrency === 1 ? this.name : `${this.name}#${(this.strands[index] ?? 0) + 1}/${concurrency}`
  }

  /** Whether the stored checkpoint says that the change is done. */
  isCovered(index: number, { offset, lanes }: Pick<Checkpoint, 'offset' | 'lanes'>): boolean {
    const event = this.events[index]
    if (event === undefined) return false
    if (event.offset < offset) return true
    const through = lanes[this.laneName(index)]?.through ?? null
    return through !== null && through >= event.offset
  }
}

/** The stored checkpoint in the store's own words. */
export function toCheckpoint(item: Item): Checkpoint {
  return fromItem('topic/0', item)
}

export interface Violation {
  readonly seed: number
  readonly invariant: 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'error'
  readonly message: string
  /** Milliseconds from the start of the world. */
  readonly at: number
}
