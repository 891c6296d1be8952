import { type Broker, isGroupRefused, isKnownPartition } from '../broker.ts'
import type { Group } from '../groups.ts'
import { type ProtocolError, protocolErrors } from '../protocol-errors.ts'
import type { Api } from './api.ts'

/** `<timestamp>` or `<timestamp>|<anything>`: DTS carries a commit over to a new cluster by the timestamp. */
const commitMetadata = /^\d+(\||$)/

/**
 * OffsetCommit Request (2-7) => group_id:string generation_id:int32 member_id:string
 *   group_instance_id:nullable_string (7+) retention_time_ms:int64 (2-4)
 *   [topic:string [partition:int32 offset:int64 leader_epoch:int32 (6+) metadata:nullable_string]]
 * OffsetCommit Response => throttle_time_ms:int32 (3+) [topic:string [partition:int32 error_code:int16]]
 */
export const offsetCommit: Api = {
  key: 8,
  min: 2,
  max: 7,
  handle({ version, body }, answer, broker) {
    const groupId = body.readText()
    const generation = body.readInt32()
    const memberId = body.readText()
    if (version >= 7) body.readString()
    if (version <= 4) body.readInt64()
    const topics = body.readEach(() => ({
      topic: body.readText(),
      partitions: body.readEach(() => {
        const partition = body.readInt32()
        const offset = body.readInt64()
        if (version >= 6) body.readInt32()
        return { partition, offset, metadata: body.readString() }
      }),
    }))

    const group = broker.groups.of(groupId)
    const groupError = isGroupRefused(broker, groupId)
      ? protocolErrors.INVALID_GROUP_ID
      : group.checkCommit(memberId, generation)
    if (version >= 3) answer.writeInt32(0)
    answer.writeEach(topics, ({ topic, partitions }) => {
      answer.writeString(topic)
      answer.writeEach(partitions, ({ partition, offset, metadata }) => {
        const known = isKnownPartition(broker, topic, partition)
        answer.writeInt32(partition)
        if (groupError !== protocolErrors.NONE) answer.writeInt16(groupError)
        else if (!known) answer.writeInt16(protocolErrors.UNKNOWN_TOPIC_OR_PARTITION)
        else answer.writeInt16(commit(broker, group, partition, offset, metadata))
      })
    })
    return undefined
  },
}

function commit(
  broker: Broker,
  group: Group,
  partition: number,
  offset: bigint,
  metadata: string | null,
): ProtocolError {
  if (broker.sid !== null && !commitMetadata.test(metadata ?? '')) {
    broker.counters.commitsRefused += 1
    return protocolErrors.INVALID_REQUEST
  }
  broker.counters.commits += 1
  if (partition === 0) group.commit = { offset, metadata }
  return protocolErrors.NONE
}

/**
 * OffsetFetch Request (1-5) => group_id:string [topic:string [partition:int32]] (nullable, 2+)
 * OffsetFetch Response => throttle_time_ms:int32 (3+)
 *   [topic:string [partition:int32 offset:int64 leader_epoch:int32 (5+) metadata:nullable_string error_code:int16]]
 *   error_code:int16 (2+)
 *
 * Offset -1: the group has committed none.
 */
export const offsetFetch: Api = {
  key: 9,
  min: 1,
  max: 5,
  handle({ version, body }, answer, broker) {
    const groupId = body.readText()
    const asked = body.readNullableEach(() => ({
      topic: body.readText(),
      partitions: body.readEach(() => body.readInt32()),
    }))
    const error = isGroupRefused(broker, groupId) ? protocolErrors.INVALID_GROUP_ID : protocolErrors.NONE
    const committed = broker.groups.committed(groupId)
    const all = committed ? [{ topic: broker.topic, partitions: [0] }] : []

    if (version >= 3) answer.writeInt32(0)
    answer.writeEach(asked ?? all, ({ topic, partitions }) => {
      answer.writeString(topic)
      answer.writeEach(partitions, (partition) => {
        const found = topic === broker.topic && partition === 0 ? committed : undefined
        answer.writeInt32(partition).writeInt64(found?.offset ?? -1n)
        if (version >= 5) answer.writeInt32(-1)
        answer.writeString(found ? found.metadata : '').writeInt16(error)
      })
    })
    if (version >= 2) answer.writeInt16(error)
    return undefined
  },
}
