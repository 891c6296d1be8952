/** An action at a time of the virtual clock. */
export interface Timer {
  readonly at: number
  readonly order: number
  action: (() => void) | null
}

/** Virtual time in milliseconds. Each `step` runs exactly one action. */
export class Clock {
  #now: number
  #count = 0
  readonly #heap: Timer[] = []

  constructor(start: number) {
    this.#now = start
  }

  get now(): number {
    return this.#now
  }

  after(milliseconds: number, action: () => void): Timer {
    const timer = { at: this.#now + Math.max(0, milliseconds), order: this.#count++, action }
    const heap = this.#heap
    let at = heap.push(timer) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (above === undefined || !isBefore(timer, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = timer
    return timer
  }

  cancel(timer: Timer): void {
    timer.action = null
  }

  /** Moves the clock to the next event and runs it. Returns false if there is none. */
  step(): boolean {
    for (;;) {
      const timer = this.#pop()
      if (timer === undefined) return false
      if (timer.action === null) continue
      this.#now = timer.at
      timer.action()
      return true
    }
  }

  #pop(): Timer | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      const left = heap[child]
      const right = heap[child + 1]
      if (left === undefined) break
      let smaller = left
      if (right !== undefined && isBefore(right, left)) {
        smaller = right
        child += 1
      }
      if (!isBefore(smaller, last)) break
      heap[at] = smaller
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(left: Timer, right: Timer): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order)
}

/** Runs all ready microtasks and immediates, until everything waits for the virtual clock. */
export function quiescence(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
