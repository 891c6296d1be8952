import { countThrough, type RoutedEvent } from '../dispatch/event.ts'
import type { Invoke } from '../dispatch/invoke.ts'
import type { BatchOrigin } from '../dispatch/wire.ts'
import { maxBatchBytes, packEvents, toBatch, wireSize } from '../dispatch/wire.ts'
import type { DtsError } from '../errors.ts'

/** What redrive and replay have beside the rest of recovery. */
export interface SendDependencies {
  readonly invoke: Invoke
  /** Milliseconds until Lambda ends this invocation. */
  readonly remainingMs: () => number
  readonly handlerTimeoutMs: number
}

/** Time for a cold start and for the answer of recovery itself, in milliseconds. */
const marginMs = 15_000
/** As a batch of the poller by default: what one invocation takes in its time. */
const mostEvents = 500

/** Whether a handler that is invoked now ends before recovery itself has to. */
export function mayInvoke({ remainingMs, handlerTimeoutMs }: SendDependencies): boolean {
  return remainingMs() > handlerTimeoutMs + marginMs
}

/** The longest run from the front that one invocation takes. */
export function firstBatch(events: readonly RoutedEvent[]): readonly RoutedEvent[] {
  let bytes = 0
  let count = 0
  for (const event of events) {
    bytes += wireSize(event)
    if (count > 0 && (bytes > maxBatchBytes || count >= mostEvents)) break
    count += 1
  }
  return events.slice(0, count)
}

/** Sends events once and says how many of them, from the front, are done. */
export async function sendOnce(
  functionName: string,
  events: readonly RoutedEvent[],
  origin: BatchOrigin,
  { invoke }: SendDependencies,
): Promise<{ readonly done: number; readonly error: DtsError | null }> {
  const result = await invoke(functionName, toBatch(packEvents(events), origin), events)
  if (result.kind !== 'acknowledged') return { done: 0, error: result.error }
  return { done: countThrough(events, result.through), error: result.error }
}
