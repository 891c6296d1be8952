import type { BatchFault } from './batch-fault.ts'
import type { SliceReading } from './log-slice.ts'

export interface RecordRange {
  /** From the batch's header. The reader checks it against the bytes. */
  readonly count: number
  readonly baseOffset: bigint
  readonly lastOffsetDelta: number
}

/**
 * Reads the records of a batch of magic 2 into `reading.records` and returns the offset to continue from: the
 * one after the batch, or after the last record if `maxRecords` cut it.
 *
 *   record => length varint, attributes int8, timestamp delta varlong, offset delta varint,
 *             key length varint (-1: null), key, value length varint (-1: null), value,
 *             header count varint, [key length varint, key, value length varint (-1: null), value]
 */
export function readRecords(
  bytes: Buffer,
  start: number,
  range: RecordRange,
  reading: SliceReading,
  fault: BatchFault,
): bigint {
  const { count, baseOffset, lastOffsetDelta } = range
  const { records, limits } = reading
  const reader = new RecordReader(bytes, start, fault)
  // Deltas are at most 2^31 - 1. Comparing them as numbers makes no bigint for each dropped record.
  const firstDelta = Number(reading.from > baseOffset ? reading.from - baseOffset : 0n)
  let previousDelta = -1
  records.beginPiece(bytes, baseOffset)

  for (let index = 0; index < count; index++) {
    const end = reader.beginRecord(limits.maxRecordBytes)
    reader.skipVarlong()
    const delta = reader.varint()
    if (delta <= previousDelta || delta > lastOffsetDelta) {
      throw fault(
        'BATCH_CORRUPT',
        `record ${index} has offset delta ${delta}, after ${previousDelta} of ${lastOffsetDelta}`,
      )
    }
    previousDelta = delta
    reader.field()
    const value = reader.field()
    const valueEnd = reader.position
    reader.skipHeaders(end)
    if (delta < firstDelta) continue

    if (records.length >= limits.maxRecords) {
      reading.isCut = true
      return baseOffset + BigInt(delta)
    }
    records.add(delta, value, value < 0 ? value : valueEnd)
  }
  if (reader.position !== bytes.length) {
    throw fault(
      'BATCH_CORRUPT',
      `${bytes.length - reader.position} bytes are left after its ${count} records`,
    )
  }
  return baseOffset + BigInt(lastOffsetDelta) + 1n
}

const abortMarker = 0

/**
 * Whether a control batch, whose records begin at `start`, ends a transaction as aborted. A batch that compaction has
 * emptied ends none.
 *
 *   key of its record => version int16, type int16 (0 abort, 1 commit)
 */
export function isAbortMarker(bytes: Buffer, start: number, fault: BatchFault): boolean {
  if (start === bytes.length) return false
  const reader = new RecordReader(bytes, start, fault)
  reader.beginRecord(bytes.length)
  reader.skipVarlong()
  reader.varint()
  const key = reader.field()
  if (key < 0 || reader.position - key < 4) throw fault('BATCH_CORRUPT', 'its control record has no type')
  return bytes.readInt16BE(key + 2) === abortMarker
}

class RecordReader {
  position: number
  readonly #bytes: Buffer
  readonly #fault: BatchFault
  /** The reader stops here: the end of the current record, or between two records the end of all. */
  #end: number

  constructor(bytes: Buffer, position: number, fault: BatchFault) {
    this.#bytes = bytes
    this.position = position
    this.#fault = fault
    this.#end = bytes.length
  }

  /** Reads length and attributes (unused in magic 2). Returns where the record ends. */
  beginRecord(maxBytes: number): number {
    this.#end = this.#bytes.length
    const length = this.varint()
    if (length < 1 || length > this.#end - this.position) throw this.#misfit('record length', length)
    if (length > maxBytes) {
      throw this.#fault('BATCH_TOO_LARGE', `a record of ${length} bytes, the limit is ${maxBytes}`)
    }
    this.#end = this.position + length
    this.position++
    return this.#end
  }

  /** Reads a length and skips that many bytes. Returns where they start, or -1 for null. */
  field(): number {
    const length = this.varint()
    if (length < -1 || length > this.#end - this.position) throw this.#misfit('length', length)
    if (length === -1) return -1
    const start = this.position
    this.position = start + length
    return start
  }

  skipHeaders(end: number): void {
    // A header takes at least two bytes, so a wrong count stops at the end of the record.
    for (let left = this.varint(); left !== 0; left--) {
      if (left < 0) throw this.#misfit('header count', left)
      if (this.field() < 0) throw this.#misfit('header key length', -1)
      this.field()
    }
    if (this.position !== end) throw this.#misfit('record end', end)
  }

  /** A zigzag varint of at most 5 bytes. */
  varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte()
      value |= (byte & 0x7f) << shift
      if (byte >= 0x80) continue
      if (shift === 28 && byte > 0x0f) break
      return (value >>> 1) ^ -(value & 1)
    }
    throw this.#fault('BATCH_CORRUPT', `a varint before byte ${this.position} has more than 32 bits`)
  }

  /** A varint of at most 10 bytes. */
  skipVarlong(): void {
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte()
      if (byte >= 0x80) continue
      if (shift === 63 && byte > 1) break
      return
    }
    throw this.#fault('BATCH_CORRUPT', `a varint before byte ${this.position} has more than 64 bits`)
  }

  #byte(): number {
    if (this.position >= this.#end) {
      throw this.#fault('BATCH_CORRUPT', `its records end inside a field, at byte ${this.position}`)
    }
    return this.#bytes[this.position++] as number
  }

  #misfit(what: string, found: number) {
    return this.#fault(
      'BATCH_CORRUPT',
      `${what} ${found} does not fit before byte ${this.position} of its records`,
    )
  }
}
