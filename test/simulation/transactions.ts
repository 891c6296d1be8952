import type { TransactionPart } from '../../lib/dispatch/batch-format.ts'
import type { Facts } from './facts.ts'
import type { ObservedFunction, ObservedRun } from './observed.ts'

/** The changes of a function that are of one transaction of the source: the indices of the first and of the last one. */
interface Extent {
  readonly first: number
  readonly last: number
}

/**
 * Checks what an invocation says of its transactions: that `whole` is true, and that no transaction is cut that would have fit. A
 * transaction may be cut if it is larger than the batches of its function, if its changes failed, or if the run cannot know its
 * begin or its end.
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
    const isWhole = first === extent.first && last === extent.last
    facts.happened(`transaction: ${part}`)
    const key = `${observed.name}/${number}`
    if (this.#mayBeCut(run, observed, extent, first, last)) this.#cut.add(key)
    if (part === 'whole' && !isWhole && !(first === extent.first && this.#endedSilently(run, observed, last)))
      facts.violate(
        'I2',
        `${what}, and it is not the whole: ${first} to ${last} of ${extent.first} to ${extent.last}`,
      )
    if (part !== 'whole' && !this.#cut.has(key))
      facts.violate('I2', `${what}, which would have fit into one batch`)
    if (part === 'first' && first !== extent.first) facts.violate('I2', `${what}, which began before`)
    if (part === 'last' && last !== extent.last && !this.#endedSilently(run, observed, last))
      facts.violate('I2', `${what}, and more of it follows`)
  }

  #mayBeCut(
    run: ObservedRun,
    observed: ObservedFunction,
    extent: Extent,
    first: number,
    last: number,
  ): boolean {
    const { batchSize, batchBytes } = observed.definition.delivery
    const events = observed.events.slice(extent.first, extent.last + 1)
    const bytes = events.reduce((sum, { encode }) => sum + encode(anyCopy).length + 20, 0)
    const isOut = events.some(
      (_, at) => observed.putAside[extent.first + at] || observed.passed[extent.first + at],
    )
    const failed = isOut || this.#failedWhole.has(`${observed.name}/${extent.first}`)
    const anchor = run.base?.anchor ?? null
    const beginsWithin =
      anchor === null || anchor.transactionId === `tx${observed.events[first]?.transaction}`
    return (
      events.length > batchSize ||
      bytes > batchBytes ||
      failed ||
      beginsWithin ||
      this.#endedSilently(run, observed, last) ||
      (first > extent.first && this.#endedSilently(run, observed, first - 1))
    )
  }

  /** In a log without marks, a transaction ends if its next change comes late. */
  #endedSilently({ log }: ObservedRun, { events }: ObservedFunction, last: number): boolean {
    const [before, next] = [events[last], events[last + 1]]
    if (log === null || before === undefined || next === undefined) return false
    if (log.slots.some(({ bracketsTransaction }) => bracketsTransaction)) return false
    const [one, other] = [log.slotOf(before), log.slotOf(next)]
    return one !== undefined && other !== undefined && other.appearsAt > one.appearsAt + 900
  }
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
