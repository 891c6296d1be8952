import { type Broker, isKnownPartition } from '../broker.ts'
import { protocolErrors } from '../protocol-errors.ts'
import type { Api } from './api.ts'

const latest = -1n
const earliest = -2n

interface Found {
  readonly timestamp: bigint
  readonly offset: bigint
}
const nothing: Found = { timestamp: -1n, offset: -1n }

/**
 * ListOffsets Request (1-5) => replica_id:int32 isolation_level:int8 (2+)
 *   [topic:string [partition:int32 current_leader_epoch:int32 (4+) timestamp:int64]]
 * ListOffsets Response => throttle_time_ms:int32 (2+)
 *   [topic:string [partition:int32 error_code:int16 timestamp:int64 offset:int64 leader_epoch:int32 (4+)]]
 */
export const listOffsets: Api = {
  key: 2,
  min: 1,
  max: 5,
  handle({ version, body }, answer, broker) {
    body.readInt32()
    if (version >= 2) body.readInt8()
    const topics = body.readEach(() => ({
      topic: body.readText(),
      partitions: body.readEach(() => {
        const partition = body.readInt32()
        if (version >= 4) body.readInt32()
        return { partition, timestamp: body.readInt64() }
      }),
    }))

    if (version >= 2) answer.writeInt32(0)
    answer.writeEach(topics, ({ topic, partitions }) => {
      answer.writeString(topic)
      answer.writeEach(partitions, ({ partition, timestamp }) => {
        const known = isKnownPartition(broker, topic, partition)
        const found =
          known && partition === 0 ? lookUp(broker, timestamp) : known ? emptyLog(timestamp) : nothing
        answer.writeInt32(partition)
        answer.writeInt16(known ? protocolErrors.NONE : protocolErrors.UNKNOWN_TOPIC_OR_PARTITION)
        answer.writeInt64(found.timestamp).writeInt64(found.offset)
        if (version >= 4) answer.writeInt32(-1)
      })
    })
    return undefined
  },
}

/** Partitions above 0 are visible but stay empty. */
function emptyLog(timestamp: bigint): Found {
  return timestamp < 0n ? { timestamp: -1n, offset: 0n } : nothing
}

function lookUp(broker: Broker, timestamp: bigint): Found {
  const { log } = broker
  if (timestamp === latest) return { timestamp: -1n, offset: log.end }
  if (timestamp === earliest) return { timestamp: -1n, offset: log.start }

  const unitMs = broker.timeUnit === 'seconds' ? 1000 : 1
  const timestampMs = Number(timestamp) * unitMs
  const first = log.first
  // Rounded down to the unit, so that a time within the first record's second is inside the range.
  const rangeStartMs = first && Math.floor(first.timestampMs / unitMs) * unitMs
  if (broker.timeBeforeRange === 'nothing' && rangeStartMs !== undefined && timestampMs < rangeStartMs) {
    return nothing
  }
  const entry = log.firstAt(timestampMs)
  if (!entry) return nothing
  return { timestamp: BigInt(Math.floor(entry.timestampMs / unitMs)), offset: entry.offset }
}
