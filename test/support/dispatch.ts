import type { DeliveryEnvironment, SendResult } from '../../lib/dispatch/delivery.ts'
import { RoutedEvent } from '../../lib/dispatch/event.ts'
import { type DeliveryInput, deliverySchema, type Route } from '../../lib/dispatch/settings.ts'
import { DtsError } from '../../lib/errors.ts'
import { LogRecords } from '../../lib/kafka/records.ts'

/** A route with default settings except `settings`. */
export function route(functionName: string, settings: DeliveryInput = {}): Route {
  return { ...deliverySchema.parse(settings), functionName }
}

export const failure = (message = 'no') => new DtsError('HANDLER_FAILED', message, { retryable: true })

export const all = (events: readonly RoutedEvent[]): SendResult => through(events.at(-1)?.offset ?? null)

export const through = (offset: bigint | null, error: DtsError | null = null): SendResult => ({
  kind: 'acknowledged',
  through: offset,
  error,
})

/** A change of `shop.orders`. */
export function eventOf(offset: bigint, value: Buffer): RoutedEvent {
  return new RoutedEvent(LogRecords.of([{ offset, value }]), 0, 'shop.orders')
}

export function eventsAt(...offsets: readonly number[]): RoutedEvent[] {
  return offsets.map((offset) => eventOf(BigInt(offset), Buffer.alloc(10)))
}

type Answer = (events: readonly RoutedEvent[], functionName: string) => SendResult | Promise<SendResult>

/** A run for delivery tests. Pauses move its clock, and it answers each invocation. */
export class FakeRun implements DeliveryEnvironment {
  clock = 1_795_433_580_000
  /** The longest time of an invocation, in milliseconds. */
  readonly worstCaseMs = 45_000
  readonly sent: { readonly functionName: string; readonly offsets: number[]; readonly at: number }[] = []
  readonly aside: { readonly offset: number; readonly attempts: number; readonly error: DtsError }[] = []
  /** The number of invocations that may start. */
  permits = 1_000
  answer: Answer
  /** Called before an event becomes a dead letter. */
  store: () => void = () => {}
  hasQueue = true

  constructor(answer: Answer = all) {
    this.answer = answer
  }

  /** The offsets of each invocation, in order. */
  get batches(): number[][] {
    return this.sent.map(({ offsets }) => offsets)
  }

  readonly endsBy = () => this.clock + this.worstCaseMs

  readonly send = async (functionName: string, events: readonly RoutedEvent[]): Promise<SendResult> => {
    this.sent.push({ functionName, offsets: events.map(({ offset }) => Number(offset)), at: this.clock })
    return await this.answer(events, functionName)
  }

  get putAside(): DeliveryEnvironment['putAside'] {
    if (!this.hasQueue) return null
    return async (_functionName, { offset }, attempts, error) => {
      this.store()
      this.aside.push({ offset: Number(offset), attempts, error })
    }
  }

  /** Batches that begin at this offset or a later one may wait for more changes. */
  growsFrom: bigint | null = null
  readonly mayGrow = (offset: bigint): boolean => this.growsFrom !== null && offset >= this.growsFrom
  /** Whether batches may wait for changes that are not written yet. */
  mayHold = (_offset: bigint): boolean => true
  transactionWaitMs = (_offset: bigint): number => Number.POSITIVE_INFINITY
  readonly longestGrowthMs = (): number => 1_500
  readonly permit = async (): Promise<boolean> => this.permits-- > 0
  readonly pause = async (milliseconds: number): Promise<void> => {
    this.clock += milliseconds
  }
  readonly now = (): number => this.clock
  readonly random = (): number => 0.5
  /** The number of `changed` calls. */
  changes = 0
  readonly changed = (): void => {
    this.changes += 1
  }
}
