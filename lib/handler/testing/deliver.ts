import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import type { Context } from 'aws-lambda'
import { maskedRow } from '../../dispatch/mask.ts'
import { type JudgedChange, judge } from '../../dispatch/row-filter.ts'
import type { Delivery } from '../../dispatch/settings.ts'
import type { Change, RowChange } from '../../dts/change.ts'
import { type ChangeJson, changeFromJson, changeToJson } from '../../dts/json.ts'
import type { Mask } from '../../dts/mask-record.ts'
import type { Row } from '../../dts/types.ts'
import { DtsError } from '../../errors.ts'
import { handledChannel } from '../diagnostics.ts'

export interface DeliverOptions {
  /** Marks every change as one that may have been delivered before. */
  readonly replay?: boolean
  /** The time that the function has, in milliseconds; 30,000 if left out. */
  readonly remainingMs?: number
  /** The key of masks; `testMaskKey` if left out. */
  readonly maskKey?: string
}

/** The key with which `deliver` masks. `pseudonym(value, testMaskKey)` is the text that the handler then gets. */
export const testMaskKey = 'the key of masks in tests'

/** The result of a delivery. */
export interface Delivered {
  /** The number of changes that the handler is done with: the first ones, because changes are handled in order. */
  readonly handled: number
  /** The number of changes before the first undone one that `operations` and `filter` left out. The handler never got them. */
  readonly filtered: number
  /** The error of the next change; null if all are done, or if only the time ran out. The poller delivers that change again. */
  readonly error: unknown
}

interface Handler {
  (event: unknown, context: Context): Promise<unknown>
  readonly definition: { readonly delivery: Pick<Delivery, 'operations' | 'filter' | 'mask'> }
}

/**
 * Calls a handler with changes, as the poller does: in order, without those that `operations` or `filter` leave out, masked,
 * with the row schema applied, up to the first failure.
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
  const { replay, remainingMs = 30_000, maskKey = testMaskKey } = options
  const sent = replay === undefined ? changes : changes.map((change) => ({ ...change, replay }))
  const { mask = {}, ...delivery } = handler.definition.delivery
  const { wanted, fault } = judgeAll(sent, delivery)
  const count = { handled: 0 }
  let error: unknown = null
  try {
    if (wanted.length > 0) {
      const event = { changes: wanted.map(({ change }) => maskedChange(change, mask, maskKey)) }
      await counts.run(count, () => handler(event, contextWith(remainingMs)))
    }
    if (count.handled === wanted.length) error = fault?.error ?? null
  } catch (thrown) {
    error = thrown
  }
  const firstUndone = wanted[count.handled]?.at ?? fault?.at ?? changes.length
  return { handled: count.handled, filtered: firstUndone - count.handled, error }
}

/** Masks both images. A test need not give the masked columns. */
function maskedChange(json: ChangeJson, mask: Mask, key: string): ChangeJson {
  if (Object.keys(mask).length === 0 || json.operation === 'DDL') return json
  const change = changeFromJson(json) as { before?: Row; after?: Row } & RowChange
  const { before, after } = change
  if (before !== undefined) change.before = maskedRow(before, mask, key)
  if (after !== undefined) change.after = maskedRow(after, mask, key)
  return changeToJson(change)
}

/** The changes that the handler gets, up to the first one that its filter cannot judge. */
function judgeAll(changes: readonly ChangeJson[], delivery: Handler['definition']['delivery']) {
  const wanted: { readonly at: number; readonly change: ChangeJson }[] = []
  for (const [at, change] of changes.entries()) {
    const verdict = judge(delivery, change.operation, () => judgedChange(changeFromJson(change)))
    if (typeof verdict !== 'string') return { wanted, fault: { at, error: verdict } }
    if (verdict === 'wanted') wanted.push({ at, change })
  }
  return { wanted, fault: null }
}

/** A change that has all columns. */
function judgedChange(change: Change): JudgedChange {
  const images = change as { before?: Row; after?: Row }
  return {
    decode: () => change as RowChange,
    columnNames: () => Object.keys({ ...images.before, ...images.after }),
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
