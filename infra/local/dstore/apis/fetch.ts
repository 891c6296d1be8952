import { type Broker, isKnownPartition, type Session } from '../broker.ts'
import { type ProtocolError, protocolErrors } from '../protocol-errors.ts'
import type { Api } from './api.ts'

const readCommitted = 1

interface PartitionRequest {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly maxBytes: number
}

/**
 * Fetch Request (4-11) => replica_id:int32 max_wait_ms:int32 min_bytes:int32 max_bytes:int32 isolation_level:int8
 *   session_id:int32 (7+) session_epoch:int32 (7+)
 *   [topic:string [partition:int32 current_leader_epoch:int32 (9+) fetch_offset:int64
 *                  log_start_offset:int64 (5+) partition_max_bytes:int32]]
 *   forgotten_topics:[topic:string [partition:int32]] (7+) rack_id:string (11+)
 * Fetch Response => throttle_time_ms:int32 error_code:int16 (7+) session_id:int32 (7+)
 *   [topic:string [partition:int32 error_code:int16 high_watermark:int64 last_stable_offset:int64
 *                  log_start_offset:int64 (5+) aborted_transactions:nullable [producer_id:int64 first_offset:int64]
 *                  preferred_read_replica:int32 (11+) records:bytes]]
 *
 * Versions below 4 carry the older message sets. Clients of a DStore (0.11 and later) never need them.
 * Session 0 in the answer declines a fetch session, so that clients send each request in full.
 */
export const fetch: Api = {
  key: 1,
  min: 4,
  max: 11,
  async handle({ version, body }, answer, broker, session) {
    body.readInt32()
    const maxWaitMs = body.readInt32()
    const minBytes = body.readInt32()
    const maxBytes = body.readInt32()
    const isolationLevel = body.readInt8()
    const sessionId = version >= 7 ? body.readInt32() : 0
    if (version >= 7) body.readInt32()
    const topics = body.readEach(() => {
      const topic = body.readText()
      const partitions = body.readEach((): PartitionRequest => {
        const partition = body.readInt32()
        if (version >= 9) body.readInt32()
        const offset = body.readInt64()
        if (version >= 5) body.readInt64()
        return { topic, partition, offset, maxBytes: Math.min(body.readInt32(), maxBytes) }
      })
      return { topic, partitions }
    })

    const sessionError = sessionId === 0 ? protocolErrors.NONE : protocolErrors.FETCH_SESSION_ID_NOT_FOUND
    const asked = topics.flatMap(({ partitions }) => partitions)
    if (sessionError === protocolErrors.NONE) await waitForBytes(broker, asked, minBytes, maxWaitMs, session)
    // The connection ended during the wait. No client sees this answer, so it is not counted.
    if (session.closed.aborted) return 'no-answer'

    answer.writeInt32(0)
    if (version >= 7) answer.writeInt16(sessionError).writeInt32(0)
    answer.writeEach(sessionError === protocolErrors.NONE ? topics : [], ({ topic, partitions }) => {
      answer.writeString(topic)
      answer.writeEach(partitions, (request) => {
        const { start, end } = request.partition === 0 ? broker.log : { start: 0n, end: 0n }
        const { error, records } = read(broker, request)
        answer.writeInt32(request.partition).writeInt16(error).writeInt64(end).writeInt64(end)
        if (version >= 5) answer.writeInt64(start)
        answer.writeInt32(isolationLevel === readCommitted ? 0 : -1)
        if (version >= 11) answer.writeInt32(-1)
        answer.writeBytes(records)
      })
    })
    return undefined
  },
}

/** Waits until one partition has `minBytes` or an error to report, at most `maxWaitMs`. */
async function waitForBytes(
  broker: Broker,
  asked: readonly PartitionRequest[],
  minBytes: number,
  maxWaitMs: number,
  session: Session,
): Promise<void> {
  const deadline = Date.now() + maxWaitMs
  const isReady = () =>
    asked.some((request) => check(broker, request) !== protocolErrors.NONE) ||
    asked.some(({ partition, offset }) => partition === 0 && broker.log.hasBytes(offset, minBytes))
  for (
    let left = maxWaitMs;
    left > 0 && !isReady() && !session.closed.aborted;
    left = deadline - Date.now()
  ) {
    await broker.log.changed(left, session.closed)
  }
}

function check(broker: Broker, { topic, partition, offset }: PartitionRequest): ProtocolError {
  if (!isKnownPartition(broker, topic, partition)) return protocolErrors.UNKNOWN_TOPIC_OR_PARTITION
  const inRange = partition === 0 ? broker.log.contains(offset) : offset === 0n
  return inRange ? protocolErrors.NONE : protocolErrors.OFFSET_OUT_OF_RANGE
}

function read(broker: Broker, request: PartitionRequest): { error: ProtocolError; records: Buffer } {
  const error = check(broker, request)
  if (error === protocolErrors.OFFSET_OUT_OF_RANGE) broker.counters.outOfRange += 1
  if (error !== protocolErrors.NONE || request.partition !== 0) return { error, records: Buffer.alloc(0) }
  const { bytes, truncated } = broker.log.read(request.offset, request.maxBytes, broker.truncateBatches)
  if (truncated) broker.counters.truncatedFetches += 1
  if (bytes.length === 0) broker.counters.emptyFetches += 1
  return { error, records: bytes }
}
