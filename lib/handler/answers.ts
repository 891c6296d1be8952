import { DtsError } from '../errors.ts'
import { isError, nameOf } from '../text/thrown.ts'

/** Where a run stopped, by what `onBatch` returned. */
export interface RunFailure {
  /** Index of the first change that is not done. */
  readonly failedAt: number
  readonly error: unknown
}

/**
 * Reads what `onBatch` returned. Only nothing, and a well-formed `failedAt`, are answers: any other value may stand for
 * a failure in somebody's convention, and taking it for success would lose the run's changes without a word.
 * @param length how many changes the run has
 * @returns null when all of the run is done
 * @throws DtsError HANDLER_FAILED for every other value, which counts against the whole run
 */
export async function readRunAnswer(returned: unknown, length: number): Promise<RunFailure | null> {
  if (returned === undefined) return null
  await settled(returned)
  const failure = runFailure(returned, length)
  if (failure !== null) return failure
  throw new DtsError(
    'HANDLER_FAILED',
    `onBatch returned ${shapeOf(returned)} for a run of ${length} changes. ${hintFor(returned)}` +
      'Return nothing when the whole run is done, { failedAt: index } or { failedAt: index, error } with the index (0 to ' +
      `${length - 1}) of the first change that is not, or throw when none is. No change of this run counts as done, and ` +
      "it is sent again; the log of the table's function shows what was returned.",
    { retryable: true, cause: returned },
  )
}

/**
 * Reads what `onChange` or `onDdl` returned. Arrow functions often return what a client answered, so any value is fine,
 * except one that says that the change failed, or that its work has not ended.
 * @throws the returned error; DtsError HANDLER_FAILED for another failure
 */
export async function refuseFailure(name: 'onChange' | 'onDdl', returned: unknown): Promise<void> {
  if (!isObject(returned)) return
  if (isError(returned)) throw returned
  await settled(returned)
  if (!isFailure(returned)) return
  throw new DtsError(
    'HANDLER_FAILED',
    `${name} returned ${shapeOf(returned)}, which reads as a failure. ${hintFor(returned)}Throw when the change is not ` +
      'done; its promise resolves when it is. The change counts as not done, and is sent again; the log of the ' +
      "table's function shows what was returned.",
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

/** Work that was started and not waited for would go on beside the same change when it is sent again. */
async function settled(returned: unknown): Promise<void> {
  if (Array.isArray(returned)) await Promise.allSettled(returned.filter((item) => item instanceof Promise))
}

/** Words of the conventions that are met; any other key may be data, such as a status that changes were grouped by. */
const knownKeys = ['failedAt', 'error', 'errors', 'batchItemFailures', 'status', 'reason']

/** What was returned, without anything that could be of a row: the message goes to the poller's log. */
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

/** The largest batch. A number beyond it may be an id, and then a value of a row. */
const maxIndex = 10_000

function shapeOfIndex(value: object): string {
  const failedAt = 'failedAt' in value ? value.failedAt : undefined
  if (typeof failedAt !== 'number' && typeof failedAt !== 'bigint') return shapeOf(failedAt)
  if (!(Math.abs(Number(failedAt)) <= maxIndex)) return shapeOf(failedAt)
  return typeof failedAt === 'bigint' ? `${failedAt}n (a bigint)` : String(failedAt)
}

function hintFor(returned: unknown): string {
  if (!isObject(returned)) return ''
  if (isError(returned)) return 'Throw an error, do not return it. '
  if (Array.isArray(returned)) {
    return returned.some(isThenable)
      ? 'Nothing waits for promises inside an array: await Promise.all(…). '
      : ''
  }
  return 'batchItemFailures' in returned
    ? 'batchItemFailures is how handlers of SQS answer; changes are in order, so that only the first failure counts. '
    : ''
}

/** An item of what `Promise.allSettled` resolves to. */
function isRejection(item: unknown): boolean {
  return isObject(item) && 'status' in item && item.status === 'rejected' && 'reason' in item
}

function isThenable(item: unknown): boolean {
  return isObject(item) && 'then' in item && typeof item.then === 'function'
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' || typeof value === 'function') && value !== null
}
