import type { HeldLease } from '../checkpoint/held-lease.ts'
import type { Position } from '../checkpoint/types.ts'
import { type TransactionPart, toBatch } from '../dispatch/batch-format.ts'
import type { DeadLetterInput } from '../dispatch/dead-letter.ts'
import type { SendResult } from '../dispatch/delivery.ts'
import { countThrough, type RoutedEvent } from '../dispatch/event.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import type { Origin, PollDependencies } from './dependencies.ts'
import { add, functionSummary, type PollSummary } from './summary.ts'

/** More dead letters than this within the window halt the stream. */
const breaker = { limit: 20, windowMs: 300_000 }

/** The sending side of a run: batches to functions, dead letters to the queue. */
export class Outlet {
  readonly #dependencies: PollDependencies
  readonly #lease: HeldLease
  readonly #origin: Origin & Pick<Stream, 'topic' | 'partition'>
  readonly #summary: PollSummary
  #deadLetters: Position['deadLetters']

  constructor(
    dependencies: PollDependencies,
    { topic, partition }: Stream,
    lease: HeldLease,
    origin: Origin,
    summary: PollSummary,
  ) {
    this.#dependencies = dependencies
    this.#lease = lease
    this.#origin = { ...origin, topic, partition }
    this.#summary = summary
    this.#deadLetters = lease.position.deadLetters
  }

  get deadLetters(): Position['deadLetters'] {
    return this.#deadLetters
  }

  /** @param packed the events, from `packEvents` */
  async send(
    functionName: string,
    events: readonly RoutedEvent[],
    packed: string,
    transactions: readonly TransactionPart[] | null,
  ): Promise<SendResult> {
    const { config, invoke, now, signal } = this.#dependencies
    const startedAt = now()
    // The process may be frozen between this line and the request, for longer than the lease lasts.
    const startBefore = this.#lease.leaseUntil - config.handlerTimeoutMs
    const result = await invoke(
      functionName,
      toBatch(packed, this.#origin, startBefore, transactions),
      events,
    )
    // A run that was frozen must not act on the answer.
    if (signal.aborted) return { kind: 'acknowledged', through: null, error: null }
    const took = now() - startedAt
    this.#summary.milliseconds.handlers += took
    const one = functionSummary(this.#summary, functionName)
    one.milliseconds += took
    const done = result.kind === 'acknowledged' ? countThrough(events, result.through) : 0
    countByTable(this.#summary.handled, events, done)
    one.handled += done
    if (result.kind !== 'acknowledged' || result.error !== null) {
      this.#summary.retried += 1
      one.retried += 1
    }
    return result
  }

  /**
   * @param functionName null for a record that could not be read, so that no function is known
   * @throws DtsError DEAD_LETTER_FAILED, DEAD_LETTER_BREAKER, LEASE_LOST; `error` if there is no queue
   */
  async putAside(
    functionName: string | null,
    event: RoutedEvent,
    attempts: number,
    error: DtsError,
  ): Promise<void> {
    const { now, putAside, signal } = this.#dependencies
    if (putAside === null) throw error
    // An invocation may have outlasted the lease. Then the change may belong to another run.
    if (signal.aborted || !this.#lease.lasts()) throw leaseRanOut(event)
    const recent = now() - this.#deadLetters.since < breaker.windowMs
    const { since, count } = recent ? this.#deadLetters : { since: now(), count: 0 }
    if (count >= breaker.limit) throw tripped(count, event, error)
    this.#deadLetters = { since, count: count + 1 }
    try {
      await putAside(this.#letter(functionName, event, attempts, error))
    } catch (failure) {
      // A failing queue must not look like many dead letters.
      this.#deadLetters = { ...this.#deadLetters, count: this.#deadLetters.count - 1 }
      throw failure
    }
    add(this.#summary.deadLettered, event.table, 1)
    functionSummary(this.#summary, functionName).deadLettered += 1
  }

  #letter(
    functionName: string | null,
    event: RoutedEvent,
    attempts: number,
    error: DtsError,
  ): DeadLetterInput {
    const { topic, partition, clusterId, generation } = this.#origin
    return {
      functionName,
      table: event.table,
      topic,
      partition,
      clusterId,
      generation,
      offset: event.offset,
      attempts,
      at: new Date(this.#dependencies.now()).toISOString(),
      error: { code: error.code, message: error.message },
      value: event.value ?? Buffer.alloc(0),
    }
  }
}

/** Counts the first `count` events. Most batches have one table, so it adds once for each run of the same table. */
function countByTable(counts: Record<string, number>, events: readonly RoutedEvent[], count: number): void {
  for (let from = 0, to = 0; from < count; from = to) {
    const { table } = events[from] as RoutedEvent
    while (to < count && (events[to] as RoutedEvent).table === table) to += 1
    add(counts, table, to - from)
  }
}

function tripped(count: number, event: RoutedEvent, error: DtsError): DtsError {
  return new DtsError(
    'DEAD_LETTER_BREAKER',
    `${count} changes became dead letters within ${breaker.windowMs / 60_000} minutes, and the next one is at offset ` +
      `${event.offset} of ${event.table} (${error.message}). Probably the handler is at fault, so the stream is halted.`,
    {
      retryable: false,
      facts: { offset: String(event.offset), count },
      next: [
        { action: 'deploy', change: 'Fix the handler' },
        { action: 'redrive', purpose: 'send the dead letters again then' },
        { action: 'resume', purpose: 'let the stream continue after that' },
      ],
    },
  )
}

function leaseRanOut({ offset }: RoutedEvent): DtsError {
  return new DtsError(
    'LEASE_LOST',
    `The lease ran out before the change at offset ${offset} was stored as a dead letter. The next run handles it.`,
    { retryable: true, facts: { offset: String(offset) } },
  )
}
