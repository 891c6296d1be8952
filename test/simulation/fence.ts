import type { MarkedPlace } from '../../lib/kafka/commit-mark.ts'
import type { Facts } from './facts.ts'
import { isOlder, type ObservedFunction } from './observed.ts'

interface FencedItem extends MarkedPlace {
  /** The place of the change that wrote it, in the order of the source. */
  readonly place: number
}

/**
 * The items of a handler that uses the fence of lib/handler/fence.ts, one for each row. Only a change of a newer
 * generation, or of a later offset in the same generation, overwrites an item. In the end each item must hold its row's
 * last change.
 */
export class FenceChecker {
  readonly #facts: Facts
  readonly #items = new Map<string, FencedItem>()

  constructor(facts: Facts) {
    this.#facts = facts
  }

  /** A handler handles a change. */
  write(observed: ObservedFunction, index: number, change: MarkedPlace): void {
    const event = observed.events[index]
    for (const key of event?.keys ?? []) {
      const name = `${observed.name}/${key}`
      const item = this.#items.get(name)
      if (item !== undefined && !isOlder(item, change)) this.#facts.happened('fence: ignored an older change')
      else this.#items.set(name, { ...change, place: event?.index ?? 0 })
    }
  }

  /** Everything was delivered. */
  checkEnd(): void {
    const facts = this.#facts
    if (!facts.fenceHolds) return
    for (const observed of facts.functions.values()) {
      for (const [index, { keys, index: place }] of observed.events.entries()) {
        const { done, putAside, lost, passed } = observed
        if (!done[index] || putAside[index] || lost[index] || passed[index]) continue
        for (const key of keys ?? []) {
          const item = this.#items.get(`${observed.name}/${key}`)
          if (item !== undefined && item.place >= place) continue
          facts.violate(
            'I1',
            `the fence of ${observed.name} dropped ${place}: its row ${key} has ${item?.place}`,
          )
          return
        }
      }
    }
  }
}
