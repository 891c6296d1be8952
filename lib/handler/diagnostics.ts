import { channel } from 'node:diagnostics_channel'
import type { Change } from '../dts/change.ts'

/**
 * The diagnostics channel that a table function publishes `{ table, change }` to after its handler has finished with a
 * change. It serves tracing and tests, and costs nothing without a subscriber.
 */
export const handledChannel = 'dts-functions:handled'

const handled = channel(handledChannel)

/** @param table the declared tables, as one text */
export function publishHandled(table: string, change: Change): void {
  if (handled.hasSubscribers) handled.publish({ table, change })
}
