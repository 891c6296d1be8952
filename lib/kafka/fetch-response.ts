import { DtsError } from '../errors.ts'
import type { AbortedTransaction } from './transactions.ts'

/**
 * Fetch Response, versions 4 to 11, after the correlation id:
 *
 *   response    => throttle_time_ms INT32
 *                  error_code INT16, session_id INT32              (version 7 and later)
 *                  [topic]
 *   topic       => name STRING, [partition]
 *   partition   => partition INT32, error_code INT16, high_watermark INT64, last_stable_offset INT64
 *                  log_start_offset INT64                          (version 5 and later)
 *                  [aborted: producer_id INT64, first_offset INT64] (nullable)
 *                  preferred_read_replica INT32                    (version 11)
 *                  records BYTES (nullable)
 *   [x]         => count INT32, then that many x; STRING => length INT16, UTF-8; BYTES => length INT32, bytes
 */
export interface FetchResponse {
  readonly throttleMs: number
  /** Of the whole request. Versions before 7 have none; then it is 0. */
  readonly errorCode: number
  readonly partitions: readonly FetchedPartition[]
}

export interface FetchedPartition {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  /** The offset after the last record that may be read. With most errors it is -1. */
  readonly highWatermark: bigint
  /** The oldest offset in the log; null before version 5. */
  readonly logStartOffset: bigint | null
  /** Aborted transactions with records in `records`. A reader of committed records drops these. */
  readonly aborted: readonly AbortedTransaction[]
  /** Record batches. The last one may be cut off. A view on the payload. */
  readonly records: Buffer
}

/** Version 4 is the first with record batches (Kafka 0.11). */
export const fetchVersions = { min: 4, max: 11 } as const

/**
 * Reads the body of a Fetch response.
 * @throws DtsError BATCH_CORRUPT (retryable) if a length or count does not fit the bytes; PROTOCOL_UNSUPPORTED if
 *   `version` is not 4 to 11
 */
export function parseFetchResponse(payload: Buffer, version: number): FetchResponse {
  if (!(version >= fetchVersions.min && version <= fetchVersions.max)) {
    throw new DtsError(
      'PROTOCOL_UNSUPPORTED',
      `The poller does not read Fetch version ${version}, only ${fetchVersions.min} to ${fetchVersions.max}. ` +
        'Ask the broker for a version in that range.',
      { retryable: false, facts: { version } },
    )
  }
  const reader = new Reader(payload, version)
  const throttleMs = reader.int32('throttle_time_ms')
  const errorCode = version >= 7 ? reader.int16('error_code') : 0
  if (version >= 7) reader.int32('session_id')

  const partitions: FetchedPartition[] = []
  for (let topics = reader.count('topics', 6); topics > 0; topics--) {
    const topic = reader.string('topic name')
    for (let left = reader.count('partitions', 30); left > 0; left--) {
      partitions.push(readPartition(reader, topic, version))
    }
  }
  reader.finish()
  return { throttleMs, errorCode, partitions }
}

function readPartition(reader: Reader, topic: string, version: number): FetchedPartition {
  const partition = reader.int32('partition')
  const errorCode = reader.int16('partition error_code')
  const highWatermark = reader.int64('high_watermark')
  reader.int64('last_stable_offset')
  const logStartOffset = version >= 5 ? reader.int64('log_start_offset') : null
  const aborted: AbortedTransaction[] = []
  for (let left = reader.count('aborted_transactions', 16); left > 0; left--) {
    aborted.push({ producerId: reader.int64('producer_id'), firstOffset: reader.int64('first_offset') })
  }
  if (version >= 11) reader.int32('preferred_read_replica')
  const records = reader.bytes('records')
  return { topic, partition, errorCode, highWatermark, logStartOffset, aborted, records }
}

class Reader {
  readonly #payload: Buffer
  readonly #version: number
  #position = 0

  constructor(payload: Buffer, version: number) {
    this.#payload = payload
    this.#version = version
  }

  int16(field: string): number {
    return this.#payload.readInt16BE(this.skip(field, 2))
  }

  int32(field: string): number {
    return this.#payload.readInt32BE(this.skip(field, 4))
  }

  int64(field: string): bigint {
    return this.#payload.readBigInt64BE(this.skip(field, 8))
  }

  /** The count of an array whose elements take at least `size` bytes each. A null array counts 0. */
  count(field: string, size: number): number {
    const count = this.int32(field)
    if (count < -1 || count * size > this.#payload.length - this.#position) {
      throw this.#corrupt(field, `count ${count}`)
    }
    return Math.max(0, count)
  }

  string(field: string): string {
    const length = this.int16(field)
    const start = this.skip(field, length)
    return this.#payload.toString('utf8', start, start + length)
  }

  bytes(field: string): Buffer {
    const length = this.int32(field)
    const start = this.skip(field, length === -1 ? 0 : length)
    return this.#payload.subarray(start, this.#position)
  }

  /** Skips `length` bytes. Returns where they start. */
  skip(field: string, length: number): number {
    const start = this.#position
    if (length < 0 || length > this.#payload.length - start) throw this.#corrupt(field, `length ${length}`)
    this.#position = start + length
    return start
  }

  finish(): void {
    if (this.#position < this.#payload.length) throw this.#corrupt('the end of the response', 'other bytes')
  }

  #corrupt(field: string, found: string): DtsError {
    const position = this.#position
    return new DtsError(
      'BATCH_CORRUPT',
      `Fetch response (version ${this.#version}) at byte ${position} of ${this.#payload.length}: ` +
        `${found} does not fit ${field}. Nothing of it was read. The poller fetches it again.`,
      { retryable: true, facts: { version: this.#version, position, bytes: this.#payload.length } },
    )
  }
}
