import type { Random } from './random.ts'

/** How a source gives some of its changes wrong times. Its heartbeats always have the right time. */
export const strangeTimes = [
  'none',
  'a change ahead',
  'a transaction ahead',
  'a transaction back',
  'shards',
  'a clock step',
] as const
export type StrangeTimes = (typeof strangeTimes)[number]

const hour = 3_600

/** The error of each statement's time, in seconds. */
export class Dating {
  readonly kind: StrangeTimes
  readonly #random: Random
  readonly #rate: number
  readonly #by: number
  /** The range of places in the order of the source where the clock is wrong. */
  readonly #step: readonly [from: number, to: number]
  readonly #shards: readonly [number, ...number[]]
  #transaction = 0
  #ofTransaction = 0

  /** @param count the maximum number of changes */
  constructor(random: Random, kind: StrangeTimes, count: number) {
    this.kind = kind
    this.#random = random
    this.#rate = random.pick([0.05, 0.2])
    this.#by = random.pick([hour, hour, 2 * hour, 24 * hour])
    const from = random.whole(0, count)
    this.#step = [from, from + random.whole(1, 20)]
    this.#shards = random.pick<readonly [number, ...number[]]>([
      [0, -40],
      [0, 0, -90],
      [0, -25, -60],
    ])
  }

  of(place: number, transaction: number): number {
    if (transaction !== this.#transaction) {
      this.#transaction = transaction
      this.#ofTransaction = this.#random.chance(this.#rate) ? this.#by : 0
    }
    switch (this.kind) {
      case 'none':
        return 0
      case 'a change ahead':
        return this.#random.chance(this.#rate) ? this.#by : 0
      case 'a transaction ahead':
        return this.#ofTransaction
      case 'a transaction back':
        return -this.#ofTransaction
      case 'shards':
        return this.#random.pick(this.#shards)
      case 'a clock step':
        return place >= this.#step[0] && place < this.#step[1] ? this.#by : 0
    }
  }
}
