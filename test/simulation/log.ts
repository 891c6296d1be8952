import { DtsError } from '../../lib/errors.ts'
import { LogRecords } from '../../lib/kafka/records.ts'
import type { Fetched, Stream } from '../../lib/kafka/stream.ts'
import type { Clock } from './clock.ts'
import type { Entry } from './entries.ts'
import type { Random } from './random.ts'

/** The broker's side of the log: what can be read now. */
export class Log {
  readonly #entries: readonly Entry[]
  readonly #clock: Clock
  readonly #start: number
  #visible = 0
  /** Another log stands behind the same address and cluster id. */
  swapped = false
  /** Records below this index are gone. */
  #trimmedTo = 0

  constructor(entries: readonly Entry[], clock: Clock) {
    this.#entries = entries
    this.#clock = clock
    this.#start = clock.now
  }

  get earliest(): bigint {
    return this.#entries[this.#trimmedTo]?.offset ?? this.end
  }

  get end(): bigint {
    for (;;) {
      const next = this.#entries[this.#visible]
      if (next === undefined || this.#start + next.appearsAt > this.#clock.now) break
      this.#visible += 1
    }
    const last = this.#entries[this.#visible - 1]
    return last === undefined ? (this.#entries[0]?.offset ?? 0n) : last.offset + 1n
  }

  get complete(): boolean {
    void this.end
    return this.#visible === this.#entries.length
  }

  /** Forgets all records below an offset. */
  trim(below: bigint): void {
    while ((this.#entries[this.#trimmedTo]?.offset ?? below) < below) this.#trimmedTo += 1
  }

  /** @throws DtsError DATA_GAP */
  read(from: bigint, random: Random, swapped: boolean): Fetched {
    const { earliest, end } = this
    if (from < earliest || from > end) throw outOfRange(from)
    let at = this.#indexOf(from)
    const most = random.pick([1, 3, 10, 40])
    const records = new LogRecords()
    let nextOffset = from
    while (at < this.#visible && records.length < most) {
      const entry = this.#entries[at]
      if (entry === undefined) break
      const { offset, kind } = entry
      const value = swapped ? entry.otherValue : entry.value
      if (kind !== 'control') records.addValue(offset, -1, value === null ? null : ownCopy(value))
      nextOffset = offset + 1n
      at += 1
    }
    // A batch may claim offsets behind its last record: compaction and aborted transactions leave such gaps.
    const next = this.#entries[at]
    if (next !== undefined && at < this.#visible && random.chance(0.5)) nextOffset = next.offset
    return { records, nextOffset, end, free: () => free(records) }
  }

  #indexOf(from: bigint): number {
    let [low, high] = [0, this.#entries.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#entries[middle]?.offset ?? from) < from) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** With memory of its own, so that whoever reads what was freed is noticed. */
function ownCopy(value: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(value.length)
  value.copy(copy)
  return copy
}

function free(records: LogRecords): void {
  for (const { value } of records) if (value?.buffer instanceof ArrayBuffer) value.buffer.transfer(0)
  records.free()
}

export function outOfRange(from: bigint): DtsError {
  return new DtsError('DATA_GAP', `Offset ${from} is outside the data range.`, { retryable: false })
}

export const clusterId = 'cluster'

/** The parts of a stream that every view of the log shares. */
export const streamFacts: Pick<Stream, 'topic' | 'partition' | 'clusterId'> = {
  topic: 'topic',
  partition: 0,
  clusterId,
}
