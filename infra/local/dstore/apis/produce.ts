import { decodeBatches } from '../batch.ts'
import { type Broker, isKnownPartition } from '../broker.ts'
import { type ProtocolError, protocolErrors } from '../protocol-errors.ts'
import type { Api } from './api.ts'

/**
 * Produce Request (3-8) => transactional_id:nullable_string acks:int16 timeout_ms:int32
 *   [topic:string [partition:int32 records:nullable_bytes]]
 * Produce Response =>
 *   [topic:string [partition:int32 error_code:int16 base_offset:int64 log_append_time_ms:int64
 *                  log_start_offset:int64 (5+)
 *                  [batch_index:int32 batch_index_error_message:nullable_string] (8+)
 *                  error_message:nullable_string (8+)]]
 *   throttle_time_ms:int32
 *
 * A request with acks 0 gets no answer. A real DStore has no producers; this API lets stock tools fill the log.
 */
export const produce: Api = {
  key: 0,
  min: 3,
  max: 8,
  async handle({ version, body }, answer, broker) {
    body.readString()
    const acks = body.readInt16()
    body.readInt32()
    const topics = body.readEach(() => ({
      topic: body.readText(),
      partitions: body.readEach(() => ({ partition: body.readInt32(), records: body.readBytes() })),
    }))

    const results = []
    for (const { topic, partitions } of topics) {
      const appended = []
      for (const { partition, records } of partitions) {
        appended.push({ partition, ...(await append(broker, topic, partition, records)) })
      }
      results.push({ topic, partitions: appended })
    }
    if (acks === 0) return 'no-answer'

    answer.writeEach(results, ({ topic, partitions }) => {
      answer.writeString(topic)
      answer.writeEach(partitions, ({ partition, error, offset }) => {
        answer.writeInt32(partition).writeInt16(error).writeInt64(offset).writeInt64(-1n)
        if (version >= 5) answer.writeInt64(broker.log.start)
        if (version >= 8) answer.writeInt32(0).writeString(null)
      })
    })
    answer.writeInt32(0)
    return undefined
  },
}

async function append(
  broker: Broker,
  topic: string,
  partition: number,
  records: Buffer | null,
): Promise<{ error: ProtocolError; offset: bigint }> {
  const refused = (error: ProtocolError) => ({ error, offset: -1n })
  if (!isKnownPartition(broker, topic, partition)) return refused(protocolErrors.UNKNOWN_TOPIC_OR_PARTITION)
  if (partition !== 0 || records === null || records.length === 0)
    return refused(protocolErrors.INVALID_REQUEST)
  const batches = await decodeBatches(records)
  if (typeof batches === 'number') return refused(batches)
  return { error: protocolErrors.NONE, offset: await broker.appendBatches(batches) }
}
