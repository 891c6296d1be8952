import { formatTime, toSeconds } from '../../../lib/time.ts'
import type { Part, Step } from './read.ts'

/** The least time between two progress lines, in milliseconds. */
const interval = 500
const count = new Intl.NumberFormat('en-US')

/** Counts what was read, and describes it in a line. */
export class Progress {
  readonly #part: Part
  readonly #now: () => number
  readonly #startedAt: number
  #shownAt: number
  #records = 0
  #changes = 0
  #next: bigint
  #logEnd: bigint | null = null
  #timestamp: number | null = null

  /** @param now the time in milliseconds */
  constructor(part: Part, now: () => number) {
    this.#part = part
    this.#now = now
    this.#startedAt = now()
    this.#shownAt = this.#startedAt
    this.#next = part.from
  }

  add({ records, nextOffset, logEnd, lastTimestamp }: Step, changes: number): void {
    this.#records += records
    this.#changes += changes
    this.#next = nextOffset
    this.#logEnd = logEnd
    this.#timestamp = lastTimestamp ?? this.#timestamp
  }

  /** A line with rate and time left; null if the last one is younger than half a second. */
  line(): string | null {
    const now = this.#now()
    if (now - this.#shownAt < interval) return null
    this.#shownAt = now
    const seconds = (now - this.#startedAt) / 1000
    const parts = [`${this.#counts()}, ${count.format(Math.round(this.#records / seconds))} records/s`]
    if (this.#timestamp !== null) parts.push(formatTime(toSeconds(this.#timestamp)))
    const end = this.#part.end ?? this.#logEnd
    if (end !== null) parts.push(this.#remaining(end, seconds))
    return parts.join(', ')
  }

  #remaining(end: bigint, seconds: number): string {
    const left = Number(end - this.#next)
    if (left <= 0) return 'at the end'
    const done = Number(this.#next - this.#part.from)
    const percent = Math.floor((100 * done) / (done + left))
    return done === 0 ? `${percent} %` : `${percent} %, ${Math.ceil((seconds * left) / done)} s left`
  }

  summary(): string {
    const { from } = this.#part
    const range = this.#next > from ? `, offsets ${from} to ${this.#next - 1n}` : `, at offset ${from}`
    return `${this.#counts()}${range}.`
  }

  #counts(): string {
    return `${count.format(this.#changes)} changes of ${count.format(this.#records)} records`
  }
}
