import * as z from 'zod'
import {
  type Acknowledgement,
  acknowledgementSchema,
  type Batch,
  packEvents,
  toBatch,
} from '../../../../lib/dispatch/batch-format.ts'
import { context } from '../../../rig/context.ts'
import { eventOf } from '../../../support/dispatch.ts'
import { t0, Writer } from '../../../support/records.ts'

export const write = new Writer()
export const row = z.object({ id: z.bigint(), status: z.string() })
export type Row = z.output<typeof row>

type Handler = (event: unknown, context: ReturnType<typeof functionContext>) => Promise<unknown>
export const functionContext = (remainingMs: () => number = () => 30_000) => context('orders', remainingMs)

const origin = { topic: 't', partition: 0, clusterId: 'c', generation: 2, replayUntil: null }

/** A batch of these values, with offsets from 100. */
export function batchOf(values: readonly (Buffer | null)[], extra: object = {}): Batch {
  const events = values.map((value, index) => eventOf(BigInt(100 + index), value ?? Buffer.alloc(0)))
  return { ...toBatch(packEvents(events), origin), batchId: 'batch-1', ...extra }
}

export const insertsOf = (...ids: number[]) => ids.map((id) => write.insert('shop.orders', id, t0 + id).value)

export async function send(
  handler: Handler,
  event: unknown,
  remainingMs?: () => number,
): Promise<Acknowledgement> {
  return acknowledgementSchema.parse(await handler(event, functionContext(remainingMs)))
}
