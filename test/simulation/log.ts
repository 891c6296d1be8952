import { digestOf } from '../../lib/dts/digest.ts'
import { readHeader } from '../../lib/dts/header.ts'
import { DtsError } from '../../lib/errors.ts'
import { LogRecords } from '../../lib/kafka/records.ts'
import type { Fetched } from '../../lib/kafka/stream.ts'
import { identify, identifyRouted } from '../../lib/log/anchor.ts'
import type { Clock } from '../support/virtual-clock.ts'
import type { Random } from './random.ts'
import type { Dialect, Entry } from './source.ts'

/** One offset of one log. */
export class Slot {
  readonly offset: bigint
  /** `control` takes an offset but is no record; `idle` is a record that reaches no handler. */
  readonly kind: 'entry' | 'idle' | 'control'
  readonly entry: Entry | null
  /** Its time as the broker stores it, in seconds; a filler itself has none. */
  readonly time: number
  /** BEGIN or COMMIT. */
  readonly bracketsTransaction: boolean
  /** When it becomes readable, by the world's clock, in milliseconds. */
  readonly appearsAt: number
  readonly #make: () => Buffer | null
  #value: Buffer | null | undefined
  #digest: string | undefined
  #identity: string | undefined
  #routedIdentity: string | undefined

  constructor(
    slot: Pick<Slot, 'offset' | 'kind' | 'entry' | 'time' | 'bracketsTransaction' | 'appearsAt'>,
    make: () => Buffer | null,
  ) {
    this.offset = slot.offset
    this.kind = slot.kind
    this.entry = slot.entry
    this.time = slot.time
    this.bracketsTransaction = slot.bracketsTransaction
    this.appearsAt = slot.appearsAt
    this.#make = make
  }

  /** The record's bytes; they never change. */
  get value(): Buffer | null {
    if (this.#value === undefined) this.#value = this.#make()
    return this.#value
  }

  /** The same slot with other bytes. */
  with(make: () => Buffer | null): Slot {
    return new Slot(this, make)
  }

  /** The digest of its bytes. */
  get digest(): string {
    this.#digest ??= digestOf(this.value)
    return this.#digest
  }

  /** The digest of its change's identity. */
  get identity(): string {
    this.#identity ??= this.value === null ? '' : identify(this.value, readHeader(this.value))
    return this.#identity
  }

  /** The digest of its identity, and of the fields that choose its lane. */
  get routedIdentity(): string {
    this.#routedIdentity ??= this.value === null ? '' : identifyRouted(this.value, readHeader(this.value))
    return this.#routedIdentity
  }
}

/** How a broker answers a look-up by time: before its range, and within it. */
export interface LookUp {
  readonly before: 'nothing' | 'earliest'
  /** `search` is a binary search that expects ordered times; `early` returns the beginning of a larger segment. */
  readonly within: 'first' | 'search' | 'early'
}

/** One log of one cluster. It holds all its future records; each becomes readable at its own time. */
export class Log {
  readonly clusterId: string
  readonly slots: readonly Slot[]
  readonly dialect: Dialect
  readonly #clock: Clock
  readonly #byEntry = new Map<number, Slot>()
  readonly #entries: number
  #visible = 0
  /** Slots below this index have expired. */
  #trimmedTo = 0

  /** @param entries how many entries the source has */
  constructor(clusterId: string, slots: readonly Slot[], entries: number, dialect: Dialect, clock: Clock) {
    this.clusterId = clusterId
    this.slots = slots
    this.dialect = dialect
    this.#entries = entries
    this.#clock = clock
    for (const slot of slots) if (slot.entry !== null) this.#byEntry.set(slot.entry.index, slot)
  }

  get earliest(): bigint {
    return this.slots[this.#trimmedTo]?.offset ?? this.end
  }

  get end(): bigint {
    for (;;) {
      const next = this.slots[this.#visible]
      if (next === undefined || next.appearsAt > this.#clock.now) break
      this.#visible += 1
    }
    const last = this.slots[this.#visible - 1]
    return last === undefined ? (this.slots[0]?.offset ?? 0n) : last.offset + 1n
  }

  get complete(): boolean {
    return this.end > (this.slots.at(-1)?.offset ?? -1n)
  }

  /** Removes all records below an offset. */
  trim(below: bigint): void {
    while ((this.slots[this.#trimmedTo]?.offset ?? below) < below) this.#trimmedTo += 1
  }

  slotAt(offset: bigint): Slot | undefined {
    const slot = this.slots[this.#indexOf(offset)]
    return slot?.offset === offset ? slot : undefined
  }

  slotOf({ index }: Entry): Slot | undefined {
    return this.#byEntry.get(index)
  }

  /** The place in the order of the source of the first entry at or after an offset. */
  placeOf(offset: bigint): number {
    for (let at = this.#indexOf(offset); ; at++) {
      const slot = this.slots[at]
      if (slot === undefined) return this.#entries
      if (slot.entry !== null) return slot.entry.index
    }
  }

  /** The offset of the first record at or after a time, as this broker finds it; null if it finds none. */
  findTime(
    seconds: number,
    { before, within }: LookUp,
  ): { readonly offset: bigint | null; readonly what: string } {
    void this.end
    const [low, high] = [this.#trimmedTo, this.#visible]
    const isLate = (index: number) => (this.slots[index]?.time ?? 0) >= seconds
    let first = low
    while (first < high && !isLate(first)) first += 1
    if (first === high) return { offset: null, what: 'look-up: none found' }
    if (seconds < (this.slots[low]?.time ?? 0)) {
      const offset = before === 'nothing' ? null : this.earliest
      return { offset, what: `look-up: before the range, ${before}` }
    }
    let found = first
    let what = 'look-up: first'
    if (within === 'early') {
      found = Math.max(low, first - (first % 4))
      what = 'look-up: early'
    } else if (within === 'search') {
      found = this.#search(seconds, low, high)
      if (found !== first) what = 'look-up: out of order'
    }
    const slot = this.slots[found]
    if (slot?.time === seconds && this.slots[found + 1]?.time === seconds) what = 'look-up: ties'
    return { offset: slot?.offset ?? null, what }
  }

  #search(seconds: number, from: number, to: number): number {
    let [low, high] = [from, to - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.slots[middle]?.time ?? 0) < seconds) low = middle + 1
      else high = middle
    }
    return low
  }

  /** @param most records @throws DtsError DATA_GAP */
  read(from: bigint, most: number, random: Random): Fetched {
    const { earliest, end } = this
    if (from < earliest || from > end) throw outOfRange(from)
    let at = this.#indexOf(from)
    const records = new LogRecords()
    let nextOffset = from
    while (at < this.#visible && records.length < most) {
      const slot = this.slots[at]
      if (slot === undefined) break
      const { offset, kind, value } = slot
      if (kind !== 'control') records.addValue(offset, value === null ? null : ownCopy(value))
      nextOffset = offset + 1n
      at += 1
    }
    // A batch may claim offsets after its last record: compaction and aborted transactions leave such gaps.
    const next = this.slots[at]
    if (next !== undefined && at < this.#visible && random.chance(0.5)) nextOffset = next.offset
    return { records, nextOffset, end, free: () => free(records) }
  }

  #indexOf(from: bigint): number {
    let [low, high] = [0, this.slots.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.slots[middle]?.offset ?? from) < from) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Copies the bytes into memory of their own, so that a read after release is noticed. */
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
