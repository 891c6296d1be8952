/** A value of a cache. Its owner may keep the slot, because the cache empties the slot when it drops the value. */
export interface Slot<V> {
  /** Null after the cache dropped the value. */
  readonly value: V | null
}

class Entry<V> implements Slot<V> {
  readonly key: string
  readonly size: number
  value: V | null
  /** The entry's index in the list of all entries. */
  place = 0

  constructor(key: string, value: V, size: number) {
    this.key = key
    this.value = value
    this.size = size
  }
}

/**
 * Keeps values whose sizes add up to at most `limit`. If a new value does not fit, values at scattered places make room.
 *
 * So the cache degrades slowly. A stream that repeats slightly more values than fit, in turn, still finds most of them.
 * A cache that drops the oldest value finds none of them. The places are a fixed sequence, so that all runs are alike.
 */
export class BoundedCache<V> {
  readonly #limit: number
  readonly #entries = new Map<string, Entry<V>>()
  /** The same entries, so that one can be chosen by its number. */
  readonly #places: Entry<V>[] = []
  #size = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get(key: string): Slot<V> | undefined {
    return this.#entries.get(key)
  }

  /**
   * Adds a value whose key the cache does not have.
   * @param size in the unit of the limit
   * @returns null for a value that is larger than the limit, which the cache does not keep
   */
  add(key: string, value: V, size: number): Slot<V> | null {
    if (size > this.#limit) return null
    while (this.#size + size > this.#limit) this.#drop(scattered(this.#places.length))
    const entry = new Entry(key, value, size)
    entry.place = this.#places.push(entry) - 1
    this.#entries.set(key, entry)
    this.#size += size
    return entry
  }

  #drop(place: number): void {
    const dropped = this.#places[place] as Entry<V>
    const last = this.#places.pop() as Entry<V>
    if (last !== dropped) {
      this.#places[place] = last
      last.place = place
    }
    this.#entries.delete(dropped.key)
    this.#size -= dropped.size
    dropped.value = null
  }
}

/** A few items to look through. A new one replaces an item at a scattered place after `limit` of them, for the same reason. */
export class FewItems<T> {
  readonly items: T[] = []
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  /** @returns the index of the added item */
  add(item: T): number {
    if (this.items.length < this.#limit) return this.items.push(item) - 1
    const place = scattered(this.#limit)
    this.items[place] = item
    return place
  }
}

let state = 1

/** The next number of a fixed sequence without a visible pattern: a linear congruential generator of 32 bits. */
function scattered(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  // By the high bits: the low ones repeat after few steps.
  return Math.floor((state / 0x100000000) * below)
}
