import type { MarkedPlace } from '../../lib/kafka/commit-mark.ts'
import type { Facts } from './facts.ts'
import { isBehind, type ObservedFunction } from './observed.ts'

interface FencedItem extends MarkedPlace {
  /** Of the change that wrote it, in the order of the source. */
  readonly place: number
}

/**
 * What a handler with the fence of lib/handler/fence.ts keeps: an item for each row, written by changes of a newer generation, or of
 * a later offset in the same one, alone. Whatever happened, each row's last change has to be in its item in the end.
 */
export class FenceChecker {
  readonly #facts: Facts
  readonly #items = new Map<string, FencedItem>()

  constructor(facts: Facts) {
    this.#facts = facts
  }

  /** A handler does its work for a change. */
  write(observed: ObservedFunction, index: number, change: MarkedPlace): void {
    const event = observed.events[index]
    for (const key of event?.keys ?? []) {
      const name = `${observed.name}/${key}`
      const item = this.#items.get(name)
      if (item !== undefined && !isBehind(item, change)) this.#facts.happened('the fence: seen')
      else this.#items.set(name, { ...change, place: event?.index ?? 0 })
    }
  }

  /** Everything that was to be delivered is. */
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
            `the fence of ${observed.name} left ${place} out: its row ${key} has ${item?.place}`,
          )
          return
        }
      }
    }
  }
}
