import { randomUUID } from 'node:crypto'
import { DtsError } from '../errors.ts'
import { handlerFailed, type Invoke } from './invoke.ts'
import type { RoutedEvent } from './plan.ts'
import { type Batch, batchVersion, maxBatchBytes, maxBatchRecords } from './wire.ts'

export interface Origin {
  readonly topic: string
  readonly partition: number
  readonly clusterId: string
  readonly generation: number
  readonly replayUntil: number
}

/** How far one function got with its queue. */
export interface Outcome {
  /** How many events, from the front of the queue, are acknowledged. */
  readonly done: number
  /** Why it did not get to the end; null when it did, or when `mayStart` said no. */
  readonly failure: DtsError | null
  /** True when a handler may still be running, so that the lease must not be given back. */
  readonly unknown: boolean
}

/**
 * Sends each function its queue, in order and one batch at a time; the functions in parallel.
 * @param mayStart asked before each invocation whether its worst case still ends within the lease
 */
export async function dispatch(
  queues: ReadonlyMap<string, readonly RoutedEvent[]>,
  origin: Origin,
  invoke: Invoke,
  mayStart: () => boolean,
): Promise<Map<string, Outcome>> {
  const outcomes = await Promise.all(
    [...queues].map(
      async ([name, queue]) => [name, await sendQueue(name, queue, origin, invoke, mayStart)] as const,
    ),
  )
  return new Map(outcomes)
}

async function sendQueue(
  name: string,
  queue: readonly RoutedEvent[],
  origin: Origin,
  invoke: Invoke,
  mayStart: () => boolean,
): Promise<Outcome> {
  let done = 0
  while (done < queue.length) {
    const events = nextBatch(queue, done)
    if (events.length === 0) return { done, failure: tooLarge(name, queue[done]), unknown: false }
    if (!mayStart()) return { done, failure: null, unknown: false }
    const result = await invoke(name, toBatch(events, origin))
    switch (result.kind) {
      case 'failed':
        return { done, failure: result.error, unknown: false }
      case 'unknown':
        return { done, failure: result.error, unknown: true }
      case 'acknowledged': {
        const { acknowledgedThrough, failure } = result.acknowledgement
        done += events.findIndex(({ offset }) => offset.toString() === acknowledgedThrough) + 1
        if (failure !== undefined) {
          return { done, failure: eventFailed(name, failure), unknown: false }
        }
      }
    }
  }
  return { done, failure: null, unknown: false }
}

/** As many events as one invocation carries; none when the first one alone is too large. */
function nextBatch(queue: readonly RoutedEvent[], from: number): readonly RoutedEvent[] {
  let bytes = 0
  let to = from
  while (to < queue.length && to - from < maxBatchRecords) {
    // The share of a record in the envelope: its offset, two keys, quotes.
    bytes += (queue[to]?.value.length ?? 0) + 48
    if (bytes > maxBatchBytes) break
    to += 1
  }
  return queue.slice(from, to)
}

function toBatch(events: readonly RoutedEvent[], origin: Origin): Batch {
  return {
    source: 'dts-functions',
    version: batchVersion,
    batchId: randomUUID(),
    ...origin,
    records: events.map(({ offset, value }) => ({
      offset: offset.toString(),
      value: value.toString('base64'),
    })),
  }
}

function tooLarge(name: string, event: RoutedEvent | undefined): DtsError {
  const offset = event?.offset.toString() ?? ''
  return new DtsError(
    'EVENT_TOO_LARGE',
    `The change at offset ${offset} of ${event?.table} has ${event?.value.length} bytes; an invocation of ${name} ` +
      `carries at most ${maxBatchBytes}. Handle it by hand, then go on behind it: recovery with ` +
      `{"action":"reset","to":{"offset":"${(event?.offset ?? 0n) + 1n}"}}.`,
    { retryable: false, facts: { offset, function: name, bytes: event?.value.length ?? 0 } },
  )
}

function eventFailed(name: string, failure: { offset: string; code: string; message: string }): DtsError {
  return handlerFailed(name, `at offset ${failure.offset} it failed with ${failure.code}: ${failure.message}`)
}
