import { DtsError } from '../errors.ts'
import { isError, nameOf } from '../text/thrown.ts'

/** The answer of `onBatch` that a change of its run failed. */
export interface RunFailure {
  /** Index of the first change that is not done. */
  readonly failedAt: number
  readonly error: unknown
}

/**
 * Reads the value that `onBatch` returned. Only undefined and a well-formed `failedAt` are answers. Any other value may
 * mean a failure in some convention. If it counted as success, the run's changes would be lost silently.
 * @param length number of changes in the run
 * @returns null if the whole run is done
 * @throws DtsError HANDLER_FAILED for any other value; the whole run counts as failed
 */
export async function readRunAnswer(returned: unknown, length: number): Promise<RunFailure | null> {
  if (returned === undefined) return null
  await settled(returned)
  const failure = runFailure(returned, length)
  if (failure !== null) return failure
  throw new DtsError(
    'HANDLER_FAILED',
    `onBatch returned ${shapeOf(returned)} for a run of ${length} changes. ${hintFor(returned)}` +
      'Return nothing if the whole run is done. Return { failedAt: index } or { failedAt: index, error } with the index (0 to ' +
      `${length - 1}) of the first change that is not done. Throw if no change is done. No change of this run counts as ` +
      "done, and the poller sends the run again. The log of the table's function shows the returned value.",
    { retryable: true, cause: returned },
  )
}

/** A callback that gets one change, one statement or one transaction. */
export type CallbackName = 'onChange' | 'onInsert' | 'onUpdate' | 'onDelete' | 'onDdl' | 'onTransaction'

/**
 * Checks the value that a callback returned. Arrow functions often return a client's answer, so any value is fine, except one that means that the change failed or that work is still running.
 * @throws the returned error; DtsError HANDLER_FAILED for another failure
 */
export async function refuseFailure(name: CallbackName, returned: unknown): Promise<void> {
  if (!isObject(returned)) return
  if (isError(returned)) throw returned
  await settled(returned)
  if (!isFailure(returned)) return
  throw new DtsError(
    'HANDLER_FAILED',
    `${name} returned ${shapeOf(returned)}, which means a failure. ${hintFor(returned)}Throw if the change is not ` +
      'done, and resolve the promise when it is done. The change counts as not done, and the poller sends it again. ' +
      "The log of the table's function shows the returned value.",
    { retryable: true, cause: returned },
  )
}

function runFailure(returned: unknown, length: number): RunFailure | null {
  if (!isObject(returned) || !('failedAt' in returned)) return null
  if (!Object.keys(returned).every((key) => key === 'failedAt' || key === 'error')) return null
  const { failedAt } = returned
  if (typeof failedAt !== 'number' || !Number.isInteger(failedAt)) return null
  if (failedAt < 0 || failedAt >= length) return null
  const error = 'error' in returned ? returned.error : undefined
  return { failedAt, error: error ?? new Error('onBatch reported it as failed') }
}

function isFailure(returned: object): boolean {
  if (Array.isArray(returned))
    return returned.some((item) => isRejection(item) || isThenable(item) || isError(item))
  return 'failedAt' in returned || 'batchItemFailures' in returned
}

/** Waits for work that the handler started without waiting: otherwise it would run beside the retry of the same change. */
async function settled(returned: unknown): Promise<void> {
  if (Array.isArray(returned)) await Promise.allSettled(returned.filter((item) => item instanceof Promise))
}

/** Keys of common conventions. Any other key may be data, such as a status by which a handler groups changes. */
const knownKeys = ['failedAt', 'error', 'errors', 'batchItemFailures', 'status', 'reason']

/** Describes a returned value without any row value, because the message goes to the poller's log. */
function shapeOf(value: unknown): string {
  if (value === undefined || value === null || typeof value === 'boolean' || Number.isNaN(value))
    return String(value)
  if (typeof value === 'object') {
    if (isError(value)) return `an error (${nameOf(value)})`
    return Array.isArray(value) ? shapeOfArray(value) : shapeOfObject(value)
  }
  return `a ${typeof value}`
}

function shapeOfArray(items: readonly unknown[]): string {
  const kinds = [
    items.some(isThenable) ? 'promises' : '',
    items.some(isRejection) ? 'rejections' : '',
    items.some(isError) ? 'errors' : '',
  ].filter((kind) => kind !== '')
  return `an array of ${items.length}${kinds.length === 0 ? '' : `, with ${kinds.join(' and ')}`}`
}

function shapeOfObject(value: object): string {
  const known = knownKeys.filter((key) => key in value)
  const others = Object.keys(value).filter((key) => !knownKeys.includes(key)).length
  const parts = known.map((key) => (key === 'failedAt' ? `failedAt: ${shapeOfIndex(value)}` : key))
  if (others > 0) parts.push(`${others} other ${others === 1 ? 'key' : 'keys'}`)
  return parts.length === 0 ? 'an empty object' : `an object with ${parts.join(', ')}`
}

/** The largest batch. A larger number may be an id, which is a value of a row. */
const maxIndex = 10_000

function shapeOfIndex(value: object): string {
  const failedAt = 'failedAt' in value ? value.failedAt : undefined
  if (typeof failedAt !== 'number' && typeof failedAt !== 'bigint') return shapeOf(failedAt)
  if (!(Math.abs(Number(failedAt)) <= maxIndex)) return shapeOf(failedAt)
  return typeof failedAt === 'bigint' ? `${failedAt}n (a bigint)` : String(failedAt)
}

function hintFor(returned: unknown): string {
  if (!isObject(returned)) return ''
  if (isError(returned)) return 'Throw an error instead of returning it. '
  if (Array.isArray(returned)) {
    return returned.some(isThenable) ? 'An array of promises is not awaited: await Promise.all(…). ' : ''
  }
  return 'batchItemFailures' in returned
    ? 'batchItemFailures is the answer of handlers of SQS. Changes are in order, so only the first failure counts. '
    : ''
}

/** True for a rejected result of `Promise.allSettled`. */
function isRejection(item: unknown): boolean {
  return isObject(item) && 'status' in item && item.status === 'rejected' && 'reason' in item
}

function isThenable(item: unknown): boolean {
  return isObject(item) && 'then' in item && typeof item.then === 'function'
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' || typeof value === 'function') && value !== null
}
