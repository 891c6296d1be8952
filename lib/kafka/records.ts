import { freeBytes, freeOwn } from './free-memory.ts'

/**
 * Records of a Kafka log, in columns: a poller looks into most records where they lie, and an object for each would be
 * most of what it has in memory.
 */
export class LogRecords implements Iterable<LogRecord> {
  #length = 0
  /** The bytes in which values lie, a record batch each, and the offset from which its records are counted. */
  readonly #pieces: Buffer[] = []
  readonly #bases: bigint[] = []
  // By record.
  #pieceOf = new Int32Array(0)
  #deltas = new Int32Array(0)
  /** Where the value begins in its piece; -1 for a record without a value. */
  #starts = new Int32Array(0)
  #ends = new Int32Array(0)

  /** Out of values that are given one by one. */
  static of(records: Iterable<{ readonly offset: bigint; readonly value: Buffer | null }>): LogRecords {
    const all = new LogRecords()
    for (const { offset, value } of records) all.addValue(offset, value)
    return all
  }

  get length(): number {
    return this.#length
  }

  /** What is added next lies in `bytes`, with offsets counted from `base`. */
  beginPiece(bytes: Buffer, base: bigint): void {
    this.#pieces.push(bytes)
    this.#bases.push(base)
  }

  /**
   * @param start where the value begins in the piece, -1 for none; `end` where it ends
   */
  add(delta: number, start: number, end: number): void {
    const at = this.#length
    if (at === this.#deltas.length) this.#grow()
    this.#pieceOf[at] = this.#pieces.length - 1
    this.#deltas[at] = delta
    this.#starts[at] = start
    this.#ends[at] = end
    this.#length = at + 1
  }

  addValue(offset: bigint, value: Buffer | null): void {
    this.beginPiece(value ?? noBytes, offset)
    this.add(0, value === null ? -1 : 0, value?.length ?? -1)
  }

  /** Forgets all but the first so many. */
  truncate(length: number): void {
    this.#length = length
  }

  // Columns of the record at `index`, which must be below `length`.

  offset(index: number): bigint {
    return (this.#bases[this.#pieceOf[index] as number] as bigint) + BigInt(this.#deltas[index] as number)
  }

  /** Length of the value in bytes; 0 for none. */
  size(index: number): number {
    return (this.#ends[index] as number) - (this.#starts[index] as number)
  }

  /** The bytes in which the value lies from `start` to `end`. @throws RangeError once they were freed */
  bytes(index: number): Buffer {
    const bytes = this.#pieces[this.#pieceOf[index] ?? -1]
    if (bytes === undefined || bytes.length < this.end(index)) throw new RangeError('The records were freed.')
    return bytes
  }

  /** -1 for a record without a value. */
  start(index: number): number {
    return this.#starts[index] as number
  }

  end(index: number): number {
    return this.#ends[index] as number
  }

  at(index: number): LogRecord | undefined {
    return index >= 0 && index < this.#length ? new LogRecord(this, index) : undefined
  }

  *[Symbol.iterator](): Generator<LogRecord> {
    for (let index = 0; index < this.#length; index++) yield new LogRecord(this, index)
  }

  map<Result>(read: (record: LogRecord) => Result): Result[] {
    return Array.from(this, read)
  }

  /** Gives the memory back: nothing of the records can be read any more. */
  free(): void {
    for (const piece of this.#pieces) freeBytes(piece)
    for (const column of [this.#pieceOf, this.#deltas, this.#starts, this.#ends]) {
      freeOwn(column)
    }
  }

  #grow(): void {
    const capacity = Math.max(64, this.#deltas.length * 2)
    this.#pieceOf = moveTo(new Int32Array(capacity), this.#pieceOf)
    this.#deltas = moveTo(new Int32Array(capacity), this.#deltas)
    this.#starts = moveTo(new Int32Array(capacity), this.#starts)
    this.#ends = moveTo(new Int32Array(capacity), this.#ends)
  }
}

/** One record of a Kafka log: a place in the columns. */
export class LogRecord {
  readonly #records: LogRecords
  readonly #index: number

  constructor(records: LogRecords, index: number) {
    this.#records = records
    this.#index = index
  }

  get offset(): bigint {
    return this.#records.offset(this.#index)
  }

  /** Length of the value in bytes; 0 for none. */
  get size(): number {
    return this.#records.size(this.#index)
  }

  /** null for a record without a value. A view, not a copy. @throws RangeError once its bytes were freed */
  get value(): Buffer | null {
    const start = this.#records.start(this.#index)
    return start < 0 ? null : this.#records.bytes(this.#index).subarray(start, this.#records.end(this.#index))
  }

  /** Copies the value to `target` and returns where it ends there. @throws RangeError as `value` */
  copyTo(target: Buffer, at: number): number {
    const start = this.#records.start(this.#index)
    if (start < 0) return at
    return at + this.#records.bytes(this.#index).copy(target, at, start, this.#records.end(this.#index))
  }
}

const noBytes = Buffer.alloc(0)

function moveTo(target: Int32Array<ArrayBuffer>, source: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  target.set(source)
  freeOwn(source)
  return target
}
