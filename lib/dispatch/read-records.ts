import { carriesChange, type HeaderFacts } from '../dts/header.ts'
import { freeOwn } from '../kafka/free-memory.ts'
import { LogRecord, type LogRecords } from '../kafka/records.ts'
import { toSeconds } from '../time.ts'

/** The records of a part of a slice, with the source time of each, and whether it is a change. */
export class ReadRecords {
  readonly records: LogRecords
  /** The first of the records, and how many were read from there on. */
  readonly from: number
  #length = 0
  #bytes = 0
  /** `sourceTimestamp` in seconds; -1 without a header. */
  readonly #timestamps: Float64Array<ArrayBuffer>
  readonly #changes: Uint8Array<ArrayBuffer>
  #youngest = -1

  /** @param to after the last record that will be pushed */
  constructor(records: LogRecords, from: number, to: number) {
    this.records = records
    this.from = from
    this.#timestamps = new Float64Array(to - from)
    this.#changes = new Uint8Array(to - from)
  }

  get length(): number {
    return this.#length
  }

  /** The size of all values. */
  get bytes(): number {
    return this.#bytes
  }

  /** Adds the next record. @param header null for filler and for a record that cannot be decoded */
  push(header: HeaderFacts | null): void {
    const time = header === null ? -1 : toSeconds(header.sourceTimestamp)
    this.#timestamps[this.#length] = time
    if (time > this.#youngest) this.#youngest = time
    this.#changes[this.#length] = Number(header !== null && carriesChange(header.operation))
    this.#bytes += this.records.size(this.from + this.#length)
    this.#length += 1
  }

  /** The highest of their times; -1 if none has one. */
  get youngest(): number {
    return this.#youngest
  }

  /** How many of them are below an offset. */
  countBelow(offset: bigint): number {
    let [low, high] = [0, this.#length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.records.offset(this.from + middle) < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  timestamp(at: number): number {
    return this.#timestamps[at] ?? -1
  }

  isChange(at: number): boolean {
    return this.#changes[at] === 1
  }

  free(): void {
    freeOwn(this.#timestamps)
    freeOwn(this.#changes)
  }

  record(at: number): LogRecord {
    return new LogRecord(this.records, this.from + at)
  }
}
