import type { TransactionPart } from '../../lib/dispatch/batch-format.ts'
import type { Facts } from './facts.ts'
import type { Log } from './log.ts'
import type { ObservedFunction, ObservedRun } from './observed.ts'
import type { Entry } from './source.ts'

/** The changes of a function that are of one transaction of the source: the indices of the first and of the last one. */
interface Extent {
  readonly first: number
  readonly last: number
}

/**
 * Checks what an invocation says of its transactions: a first part has the first change, a last part the last one, and no part has
 * changes of two. In a world without faults, no transaction may be cut that fits into a batch and was there in time.
 */
export class TransactionChecker {
  readonly #facts: Facts
  /** Transactions of a function that had a reason to be cut. Their rest comes in parts, too. */
  readonly #cut = new Set<string>()

  /** Transactions of a function that failed as a whole, by their first change. */
  readonly #failedWhole = new Set<string>()

  constructor(facts: Facts) {
    this.#facts = facts
  }

  /** These changes, the last ones of an invocation, were not done. */
  failed(observed: ObservedFunction, indices: readonly number[]): void {
    const { first, last } = extentOf(observed, indices[0] ?? 0)
    if (indices[0] === first && indices.at(-1) === last) this.#failedWhole.add(`${observed.name}/${first}`)
  }

  check(
    run: ObservedRun,
    observed: ObservedFunction,
    indices: readonly number[],
    parts: readonly TransactionPart[] | null,
  ): void {
    const facts = this.#facts
    if (observed.definition.delivery.transactions !== true) {
      if (parts !== null)
        facts.violate('I2', `${observed.name} receives transactions, and did not ask for them`)
      return
    }
    const sum = parts?.reduce((count, part) => count + part.count, 0)
    if (parts === null || sum !== indices.length) {
      facts.violate('I2', `${observed.name} receives ${indices.length} changes, and parts of ${sum}`)
      return
    }
    let at = 0
    for (const { count, part } of parts) {
      this.#checkPart(run, observed, indices.slice(at, at + count), part)
      at += count
    }
  }

  #checkPart(
    run: ObservedRun,
    observed: ObservedFunction,
    indices: readonly number[],
    part: TransactionPart['part'],
  ): void {
    const facts = this.#facts
    const first = indices[0] ?? 0
    const last = indices.at(-1) ?? 0
    const extent = extentOf(observed, first)
    const number = observed.events[first]?.transaction
    const what = `${observed.name} receives ${part} of transaction ${number}`
    if (last > extent.last) facts.violate('I2', `${what}, with changes of the next one`)
    facts.happened(`transaction: ${part}`)
    const key = `${observed.name}/${number}`
    if (this.#mayBeCut(run, observed, extent)) this.#cut.add(key)
    if ((part === 'whole' || part === 'first') && first !== extent.first)
      facts.violate('I2', `${what}, which began before`)
    if ((part === 'whole' || part === 'last') && last !== extent.last)
      facts.violate('I2', `${what}, and more of it follows`)
    if (part === 'resent') facts.violate('I2', `${what}, from the poller`)
    if (part !== 'whole' && facts.scenario.calm && !this.#cut.has(key))
      facts.violate('I2', `${what}, which would have fit into one batch`)
  }

  #mayBeCut(run: ObservedRun, observed: ObservedFunction, extent: Extent): boolean {
    const { scenario } = this.#facts
    const { batchSize, batchBytes } = observed.definition.delivery
    const events = observed.events.slice(extent.first, extent.last + 1)
    const bytes = events.reduce((sum, { encode }) => sum + encode(anyCopy).length + 20, 0)
    const isOut = events.some(
      (_, at) => observed.putAside[extent.first + at] || observed.passed[extent.first + at],
    )
    const { log, base } = run
    if (log === null || base === null || !log.slots.some(({ bracketsTransaction }) => bracketsTransaction))
      return true
    const { transaction } = events[0] as Entry
    const head = scenario.entries.find((entry) => entry.transaction === transaction)
    const begin = head === undefined ? undefined : log.slotOf(head)
    const startsHere = begin === undefined || base.offset >= begin.offset
    return (
      events.length > batchSize ||
      bytes > batchBytes ||
      isOut ||
      startsHere ||
      this.#failedWhole.has(`${observed.name}/${extent.first}`) ||
      base.anchor === null ||
      scenario.config.unroutedTables === 'halt' ||
      scenario.unreadable.length > 0 ||
      hasSilence(log, events[0] as Entry)
    )
  }
}

/** Whether two records of the transaction, or its end, come so late that the stream is silent in between. */
function hasSilence({ slots }: Log, first: Entry): boolean {
  let before: number | null = null
  for (const { entry, bracketsTransaction, appearsAt } of slots) {
    if (before === null) {
      if (entry === first) before = appearsAt
      continue
    }
    if (appearsAt > before + 900) return true
    if (bracketsTransaction) return false
    before = appearsAt
  }
  return true
}

const anyCopy = { id: 1n, rewritten: false, untagged: false }

function extentOf({ events }: ObservedFunction, index: number): Extent {
  const transaction = events[index]?.transaction
  let first = index
  while (events[first - 1]?.transaction === transaction && first > 0) first -= 1
  let last = index
  while (events[last + 1]?.transaction === transaction && last + 1 < events.length) last += 1
  return { first, last }
}
