import { carriesChange, type HeaderFacts } from '../dts/header.ts'
import { freeOwn } from '../kafka/free-memory.ts'
import { LogRecord, type LogRecords } from '../kafka/records.ts'
import { toSeconds } from '../time.ts'

/** The records of a part of a slice, with the source time of each, and whether it is a change. */
export class ReadRecords {
  readonly records: LogRecords
  /** The index of the first record of the part. */
  readonly from: number
  #length = 0
  #bytes = 0
  /** `sourceTimestamp` in seconds. NaN for a record without a header. */
  readonly #timestamps: Float64Array<ArrayBuffer>
  readonly #changes: Uint8Array<ArrayBuffer>
  #youngest: number | null = null

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
    const time = header === null ? null : toSeconds(header.sourceTimestamp)
    this.#timestamps[this.#length] = time ?? Number.NaN
    if (time !== null && (this.#youngest === null || time > this.#youngest)) this.#youngest = time
    this.#changes[this.#length] = Number(header !== null && carriesChange(header.operation))
    this.#bytes += this.records.size(this.from + this.#length)
    this.#length += 1
  }

  /** The highest of their times; null if none of them has one. */
  get youngest(): number | null {
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

  /** In seconds; null for a record without a header. */
  timestamp(at: number): number | null {
    const time = this.#timestamps[at] ?? Number.NaN
    return Number.isNaN(time) ? null : time
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
