import { freeBytes, freeOwn } from './free-memory.ts'

/**
 * Records of a Kafka log, in columns. A poller reads most records in place. One object per record would take more memory
 * than the records.
 */
export class LogRecords implements Iterable<LogRecord> {
  #length = 0
  /** The bytes of each record batch, and the offset that its deltas count from. */
  readonly #pieces: Buffer[] = []
  readonly #bases: bigint[] = []
  // One element per record.
  #pieceOf = new Int32Array(0)
  #deltas = new Int32Array(0)
  /** Where the value begins in its piece, or -1 for a record without a value. */
  #starts = new Int32Array(0)
  #ends = new Int32Array(0)

  /** Makes records of single values. */
  static of(records: Iterable<{ readonly offset: bigint; readonly value: Buffer | null }>): LogRecords {
    const all = new LogRecords()
    for (const { offset, value } of records) all.addValue(offset, value)
    return all
  }

  get length(): number {
    return this.#length
  }

  /** The records added next are in `bytes`, and their deltas count from `base`. */
  beginPiece(bytes: Buffer, base: bigint): void {
    this.#pieces.push(bytes)
    this.#bases.push(base)
  }

  /**
   * @param start where the value begins in the piece, or -1 for none
   * @param end where it ends
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

  /** Drops all records but the first `length`. */
  truncate(length: number): void {
    this.#length = length
  }

  // Columns of the record at `index`, which must be below `length`.

  offset(index: number): bigint {
    return (this.#bases[this.#pieceOf[index] as number] as bigint) + BigInt(this.#deltas[index] as number)
  }

  /** Writes the offset as INT64 to `target` at `at`. */
  writeOffset(index: number, target: DataView, at: number): void {
    // Without a sum of bigints, which is a new one for each record.
    target.setBigInt64(at, this.#bases[this.#pieceOf[index] as number] as bigint)
    const low = target.getUint32(at + 4) + (this.#deltas[index] as number)
    target.setUint32(at + 4, low)
    const carry = Math.floor(low / 2 ** 32)
    if (carry !== 0) target.setInt32(at, target.getInt32(at) + carry)
  }

  /** Length of the value in bytes; 0 for none. */
  size(index: number): number {
    return (this.#ends[index] as number) - (this.#starts[index] as number)
  }

  /** The bytes that hold the value from `start` to `end`. @throws RangeError after `free()` */
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

  /** Frees the memory. The records become unreadable. */
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

/** One record of a Kafka log: an index into the columns. */
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

  /** As `LogRecords.writeOffset`. */
  writeOffset(target: DataView, at: number): void {
    this.#records.writeOffset(this.#index, target, at)
  }

  /** Length of the value in bytes; 0 for none. */
  get size(): number {
    return this.#records.size(this.#index)
  }

  /** null for a record without a value. A view, not a copy. @throws RangeError after its bytes were freed */
  get value(): Buffer | null {
    const start = this.#records.start(this.#index)
    return start < 0 ? null : this.#records.bytes(this.#index).subarray(start, this.#records.end(this.#index))
  }

  /** Copies the value to `target` at `at`. Returns where it ends there. @throws RangeError as `value` */
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
