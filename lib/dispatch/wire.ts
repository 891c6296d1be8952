import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { RoutedEvent } from './strand.ts'

/**
 * What travels between the poller and a table function: a batch of raw records there, an acknowledgement back.
 * The records stay as DTS wrote them; the function's side decodes the columns that its handler declares.
 */

export const batchVersion = 1
/** An invocation and its answer carry at most 6 MB; base64 and the envelope take a third of that and some. */
export const maxBatchBytes = 4_300_000

const offset = z.string().regex(/^\d{1,19}$/)

export const batchSchema = z.strictObject({
  source: z.literal('dts-functions'),
  version: z.literal(batchVersion),
  batchId: z.string().min(1),
  topic: z.string(),
  partition: z.number().int(),
  clusterId: z.string(),
  generation: z.number().int(),
  /** Events up to this time (seconds) may have been delivered before the last reset of the checkpoint. */
  replayUntil: z.number().int(),
  records: z.array(z.strictObject({ offset, value: z.base64() })).min(1),
})
export type Batch = z.infer<typeof batchSchema>

export const acknowledgementSchema = z.strictObject({
  batchId: z.string(),
  /** The offset of the last event that is done; null when not even the first one is. */
  acknowledgedThrough: offset.nullable(),
  /** Why the next event is not done; absent when all are, or when only the function's time ran short. */
  failure: z.strictObject({ offset, code: z.string(), message: z.string() }).optional(),
})
export type Acknowledgement = z.infer<typeof acknowledgementSchema>

/** Where a batch comes from. */
export type BatchOrigin = Pick<Batch, 'topic' | 'partition' | 'clusterId' | 'generation' | 'replayUntil'>

export function toBatch(events: readonly RoutedEvent[], origin: BatchOrigin): Batch {
  const { topic, partition, clusterId, generation, replayUntil } = origin
  return {
    source: 'dts-functions',
    version: batchVersion,
    batchId: randomUUID(),
    topic,
    partition,
    clusterId,
    generation,
    replayUntil,
    records: events.map(({ offset, value }) => ({
      offset: offset.toString(),
      value: value.toString('base64'),
    })),
  }
}
