import { channel } from 'node:diagnostics_channel'
import type { Context } from 'aws-lambda'
import type { Change } from '../dts/change.ts'
import type { FailedChange } from './failed-change.ts'

/** Diagnostics channels of a table function. They serve tracing and tests, and cost nothing without a subscriber. */

/** The function publishes `{ table, change }` after its handler has finished with a change. */
export const handledChannel = 'dts-functions:handled'
/**
 * The function publishes `{ table, change, remainingMs }` before its handler gets a change, or the first change of a run. The
 * function is stopped after `remainingMs`.
 */
export const startedChannel = 'dts-functions:started'
/** The function publishes `{ table, offset, change, error }` for a change that failed. `change` is absent if it was not decoded. */
export const failedChannel = 'dts-functions:failed'

const handled = channel(handledChannel)
const started = channel(startedChannel)
const failed = channel(failedChannel)

/** @param table the declared tables, as one text */
export function publishHandled(table: string, change: Change): void {
  if (handled.hasSubscribers) handled.publish({ table, change })
}

export function publishStarted(table: string, change: Change, context: Context): void {
  if (!started.hasSubscribers) return
  started.publish({ table, change, remainingMs: context.getRemainingTimeInMillis() })
}

export function publishFailed(table: string, { offset, change, error }: FailedChange): void {
  if (failed.hasSubscribers) failed.publish({ table, offset, change, error })
}
