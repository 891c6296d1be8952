import type { PollConfig } from '../../config.ts'
import type { BatchOrigin } from '../../dispatch/batch-format.ts'
import { packEvents, sizeInBatch, type TransactionPart, toBatch } from '../../dispatch/batch-format.ts'
import { countThrough, type RoutedEvent } from '../../dispatch/event.ts'
import type { Invoke } from '../../dispatch/invoke.ts'
import { maxBatchBytes } from '../../dispatch/settings.ts'
import { readHeader } from '../../dts/header.ts'
import { DtsError } from '../../errors.ts'
import { reasonOf } from '../../text/thrown.ts'

/** What redrive and replay need in addition to the rest of recovery. */
export interface SendDependencies {
  readonly invoke: Invoke
  /** Milliseconds until Lambda ends this invocation. */
  readonly remainingMs: () => number
  readonly handlerTimeoutMs: number
  readonly routes: PollConfig['routes']
  readonly ghostTables: PollConfig['ghostTables']
  /** Reads the key of masks. Resolves to null if no key is configured. @throws DtsError SECRET_UNAVAILABLE */
  readonly maskKey?: () => Promise<string | null>
}

/** Time for a cold start and for the answer of recovery itself, in milliseconds. */
export const marginMs = 15_000
/** The poller's default: one invocation can process this many in its time. */
const mostEvents = 500

/** Whether a handler that is invoked now ends before recovery itself has to. */
export function mayInvoke({ remainingMs, handlerTimeoutMs }: SendDependencies): boolean {
  return remainingMs() > handlerTimeoutMs + marginMs
}

/** The longest run from the front that one invocation takes. An event that must not be sent is only its first. */
export function firstBatch(events: readonly RoutedEvent[]): readonly RoutedEvent[] {
  let bytes = 0
  let count = 0
  for (const event of events) {
    bytes += sizeInBatch(event)
    if (count > 0 && (bytes > maxBatchBytes || count >= mostEvents || event.fault !== null)) break
    count += 1
  }
  return events.slice(0, count)
}

/** Sends events once. `done` is how many of them, from the front, are acknowledged. */
export async function sendOnce(
  functionName: string,
  events: readonly RoutedEvent[],
  origin: BatchOrigin,
  { invoke, handlerTimeoutMs, routes }: SendDependencies,
): Promise<{ readonly done: number; readonly error: DtsError | null }> {
  const route = Object.values(routes).find((one) => one.functionName === functionName)
  const transactions = route?.transactions === true ? resent(events) : null
  const result = await invoke(functionName, toBatch(packEvents(events), origin, null, transactions), events)
  if (result.kind === 'unknown') {
    return { done: 0, error: mayStillRun(functionName, handlerTimeoutMs, result.error) }
  }
  if (result.kind !== 'acknowledged') return { done: 0, error: result.error }
  return { done: countThrough(events, result.through), error: result.error }
}

/** Recovery sends changes of one table, or single ones: it cannot know whether they are whole transactions. */
function resent(events: readonly RoutedEvent[]): TransactionPart[] {
  const parts: TransactionPart[] = []
  let before: string | null = null
  for (const { value } of events) {
    const id = idOf(value)
    const last = parts.at(-1)
    if (last !== undefined && id !== '' && id === before)
      parts.splice(-1, 1, { ...last, count: last.count + 1 })
    else parts.push({ count: 1, part: 'resent' })
    before = id
  }
  return parts
}

/** Empty for a record that cannot be read: the function meets the same fault. */
function idOf(value: Buffer | null): string {
  try {
    return value === null ? '' : readHeader(value).sourceTxid
  } catch {
    return ''
  }
}

/** The poller would wait and send them again. Recovery is run by hand, so it ends here. */
function mayStillRun(functionName: string, handlerTimeoutMs: number, { facts, cause }: DtsError): DtsError {
  const reason = cause === undefined ? '' : ` (${reasonOf(cause)})`
  const seconds = Math.ceil((handlerTimeoutMs + marginMs) / 1000)
  return new DtsError(
    'HANDLER_UNAVAILABLE',
    `No answer came from the function ${functionName}${reason}; it may still be running. Its events are not sent again ` +
      `by themselves. Wait ${seconds} s, after which it must have ended; see in its log what it did, and run this again for ` +
      'the rest.',
    { retryable: true, facts, cause },
  )
}
