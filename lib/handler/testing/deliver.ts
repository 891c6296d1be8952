import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import type { Context } from 'aws-lambda'
import type { ChangeJson } from '../../dts/json.ts'
import { DtsError } from '../../errors.ts'
import { handledChannel } from '../diagnostics.ts'

export interface DeliverOptions {
  /** Marks every change as one that may have been delivered before. */
  readonly replay?: boolean
  /** The time that the function has, in milliseconds; 30,000 if left out. */
  readonly remainingMs?: number
}

/** The result of a delivery. */
export interface Delivered {
  /** The number of changes that are done: the first ones, because changes are handled in order. */
  readonly handled: number
  /** The error of the next change; null if all are done, or if only the time ran out. The poller delivers that change again. */
  readonly error: unknown
}

type Handler = (event: unknown, context: Context) => Promise<unknown>

/**
 * Calls a handler with changes, as the poller does: in order, with the row schema applied, up to the first failure.
 * It never throws for a failing change: the test asserts on the result.
 * @throws DtsError CONFIG_INVALID if there is no change
 */
export async function deliver(
  handler: Handler,
  changes: readonly ChangeJson[],
  options: DeliverOptions = {},
): Promise<Delivered> {
  if (changes.length === 0) {
    throw new DtsError('CONFIG_INVALID', 'deliver needs at least one change.', { retryable: false })
  }
  const { replay, remainingMs = 30_000 } = options
  const sent = replay === undefined ? changes : changes.map((change) => ({ ...change, replay }))
  const count = { handled: 0 }
  try {
    await counts.run(count, () => handler({ changes: sent }, contextWith(remainingMs)))
    return { handled: count.handled, error: null }
  } catch (error) {
    return { handled: count.handled, error }
  }
}

/** Deliveries of several tests can run at the same time. */
const counts = new AsyncLocalStorage<{ handled: number }>()
subscribe(handledChannel, () => {
  const count = counts.getStore()
  if (count !== undefined) count.handled += 1
})

function contextWith(remainingMs: number): Context {
  return {
    callbackWaitsForEmptyEventLoop: false,
    functionName: 'test',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:eu-central-1:123456789012:function:test',
    memoryLimitInMB: '256',
    awsRequestId: 'test',
    logGroupName: '/aws/lambda/test',
    logStreamName: 'test',
    getRemainingTimeInMillis: () => remainingMs,
    done: () => {},
    fail: () => {},
    succeed: () => {},
  }
}
