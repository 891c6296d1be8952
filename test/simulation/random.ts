import { seeded } from '../../infra/local/random.ts'

/** Seeded pseudo-random numbers: the same seed gives the same world, choice by choice. */
export class Random {
  /** From 0 to below 1. */
  readonly next: () => number

  constructor(seed: number) {
    this.next = seeded(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b))
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  chance(probability: number): boolean {
    // A rate of 0 draws no number.
    return probability > 0 && this.next() < probability
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[Math.floor(this.next() * items.length)] ?? items[0]
  }
}
