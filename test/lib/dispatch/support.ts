import type { SendResult } from '../../../lib/dispatch/delivery.ts'
import { QueuedEvent, type RoutedEvent } from '../../../lib/dispatch/event.ts'
import type { FunctionQueue } from '../../../lib/dispatch/function-queue.ts'
import type { Route } from '../../../lib/dispatch/settings.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { all, type FakeRun, route } from '../../support/dispatch.ts'

export const concurrency = 2
/** A function with two lanes. */
export const two = route('orders', { concurrency, batchSize: 10 })

export type Keyed = readonly [offset: number, key: number | null, columns?: readonly string[], table?: string]

export const idColumn = ['id']

/** `[offset, key]` of each event. The parity of a key selects its lane. */
export const keyed = (...given: readonly Keyed[]) => keyedFor(two, ...given)

/** The same for another route. */
export function keyedFor(to: Route, ...given: readonly Keyed[]): QueuedEvent[] {
  return given.map(([offset, hash, columns = idColumn, table = 'shop.orders']) => {
    const records = LogRecords.of([{ offset: BigInt(offset), value: Buffer.alloc(10) }])
    return new QueuedEvent(records, 0, table, to, hash === null ? null : { hash, columns })
  })
}

/** Ends when all code that is ready has run. */
export const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Works until all events are done, or until no invocation may start. */
export async function work(lane: FunctionQueue, events: readonly QueuedEvent[], run: FakeRun): Promise<void> {
  for (const event of events) lane.offer(event)
  const stopping = new AbortController()
  const finished = lane.run(stopping.signal)
  for (let turn = 0; turn < 10_000 && lane.firstUndone !== null && run.permits > 0; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  stopping.abort()
  await finished
}

/** Answers at a later turn, so that parallel invocations overlap. */
export function recordOverlaps(run: FakeRun, answer: (events: readonly RoutedEvent[]) => SendResult = all) {
  const inFlight = new Set<readonly RoutedEvent[]>()
  const overlaps: [number, number][] = []
  const order: number[] = []
  run.answer = async (events) => {
    for (const other of inFlight) {
      overlaps.push([Number(other[0]?.offset), Number(events[0]?.offset)])
    }
    inFlight.add(events)
    await new Promise((resolve) => setImmediate(resolve))
    inFlight.delete(events)
    const result = answer(events)
    if (result.kind === 'acknowledged') {
      for (const { offset } of events) if (offset <= (result.through ?? -1n)) order.push(Number(offset))
    }
    return result
  }
  return { overlaps, order }
}
