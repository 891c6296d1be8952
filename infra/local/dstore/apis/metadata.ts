import { nodeId } from '../broker.ts'
import { protocolErrors } from '../protocol-errors.ts'
import type { Api } from './api.ts'

/** Means "not requested" in the field for the allowed operations. */
const operationsOmitted = -0x80000000

/**
 * Metadata Request (0-8) => [topic:string] (nullable, 1+) allow_auto_topic_creation:boolean (4+)
 *                           include_cluster_authorized_operations:boolean (8+)
 *                           include_topic_authorized_operations:boolean (8+)
 * Metadata Response => throttle_time_ms:int32 (3+)
 *   [node_id:int32 host:string port:int32 rack:nullable_string (1+)]
 *   cluster_id:nullable_string (2+) controller_id:int32 (1+)
 *   [error_code:int16 topic:string is_internal:boolean (1+)
 *     [error_code:int16 partition:int32 leader_id:int32 leader_epoch:int32 (7+)
 *      [replica:int32] [isr:int32] [offline_replica:int32] (5+)]
 *     topic_authorized_operations:int32 (8+)]
 *   cluster_authorized_operations:int32 (8+)
 *
 * All topics: an empty list in version 0, null from 1 on.
 */
export const metadata: Api = {
  key: 3,
  min: 0,
  max: 8,
  handle({ version, body }, answer, broker) {
    const asked = body.readNullableEach(() => body.readText())
    const all = asked === null || (version === 0 && asked.length === 0)
    const topics = all ? [broker.topic] : asked
    const { host, port } = broker.advertised
    const partitions = Array.from({ length: broker.partitions }, (_, partition) => partition)

    if (version >= 3) answer.writeInt32(0)
    answer.writeInt32(1).writeInt32(nodeId).writeString(host).writeInt32(port)
    if (version >= 1) answer.writeString(null)
    if (version >= 2) answer.writeString(broker.clusterId)
    if (version >= 1) answer.writeInt32(nodeId)
    answer.writeEach(topics, (topic) => {
      const known = topic === broker.topic
      answer.writeInt16(known ? protocolErrors.NONE : protocolErrors.UNKNOWN_TOPIC_OR_PARTITION)
      answer.writeString(topic)
      if (version >= 1) answer.writeBoolean(false)
      answer.writeEach(known ? partitions : [], (partition) => {
        answer.writeInt16(protocolErrors.NONE).writeInt32(partition).writeInt32(nodeId)
        if (version >= 7) answer.writeInt32(-1)
        answer.writeEach([nodeId], (replica) => answer.writeInt32(replica))
        answer.writeEach([nodeId], (replica) => answer.writeInt32(replica))
        if (version >= 5) answer.writeInt32(0)
      })
      if (version >= 8) answer.writeInt32(operationsOmitted)
    })
    if (version >= 8) answer.writeInt32(operationsOmitted)
    return undefined
  },
}
