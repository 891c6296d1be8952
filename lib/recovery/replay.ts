import { z } from 'zod'
import { timeSchema } from '../config.ts'
import type { RoutedEvent } from '../dispatch/event.ts'
import { planSlice } from '../dispatch/plan.ts'
import { Router } from '../dispatch/routes.ts'
import type { Route } from '../dispatch/settings.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import { locateTime } from '../locate.ts'
import { offsetSchema } from '../offset.ts'
import type { RecoveryDependencies } from './dependencies.ts'
import { firstBatch, mayInvoke, type SendDependencies, sendOnce } from './send.ts'

const point = z.union([z.strictObject({ offset: offsetSchema }), z.strictObject({ timestamp: timeSchema })])

export const replaySchema = z.strictObject({
  action: z.literal('replay'),
  /** As in the records: `database.table`. */
  table: z.string().min(1),
  from: point,
  /** The end, itself not replayed; the end of the log when left out. */
  to: point.optional(),
  dryRun: z.boolean().default(false),
})

export interface ReplayResult {
  readonly action: 'replay'
  readonly table: string
  readonly function: string
  /** Changes that the handler acknowledged; in a dry run, changes that it would be sent. */
  readonly replayed: number
  readonly from: string
  /** Where it stopped: go on from here when `complete` is false. */
  readonly next: string
  readonly complete: boolean
  readonly error: string | null
}

const fetchBounds = { maxBytes: 4 * 1024 * 1024, maxWaitMs: 100 }

/**
 * Sends one table's history to its handler again, marked as replay. The checkpoint is not touched; the poller may go
 * on meanwhile, so a handler sees old changes between new ones.
 */
export async function replay(
  event: z.output<typeof replaySchema>,
  dependencies: RecoveryDependencies &
    SendDependencies & { readonly routes: Readonly<Record<string, Route>> },
  stream: Stream,
): Promise<ReplayResult> {
  const router = new Router(dependencies.routes)
  const [route] = router.routesFor(event.table, () => null)
  if (route === undefined) {
    throw new DtsError(
      'TABLE_UNROUTED',
      `No function handles the table ${event.table}. Check the name: database.table.`,
      {
        retryable: false,
      },
    )
  }
  const range = await stream.range()
  const from = await resolve(event.from, stream)
  const end = event.to === undefined ? range.end : await resolve(event.to, stream)
  const generation = (await dependencies.store.read())?.generation ?? 0
  const { topic, partition, clusterId } = stream
  // Whatever its time, each of these changes may have been delivered before.
  const origin = { topic, partition, clusterId, generation, replayUntil: Number.MAX_SAFE_INTEGER }
  let replayed = 0
  let next = from
  const answer = (complete: boolean, error: string | null): ReplayResult => ({
    action: 'replay',
    table: event.table,
    function: route.functionName,
    replayed,
    from: String(from),
    next: String(next),
    complete,
    error,
  })
  while (next < end) {
    const slice = await stream.fetch(next, fetchBounds)
    if (slice.nextOffset === next) break
    let events: readonly RoutedEvent[] = planSlice(
      { ...slice, from: 0, to: slice.records.length },
      router,
      'skip',
    ).events.filter(
      (routed) =>
        routed.table === event.table &&
        // A statement that could be on anybody's table is planned for each function.
        routed.route.functionName === route.functionName &&
        routed.offset < end,
    )
    while (events.length > 0) {
      if (event.dryRun) {
        replayed += events.length
        break
      }
      if (!mayInvoke(dependencies)) return answer(false, null)
      const batch = firstBatch(events)
      const { done, error } = await sendOnce(route.functionName, batch, origin, dependencies)
      replayed += done
      next = events[done]?.offset ?? slice.nextOffset
      if (error !== null) return answer(false, error.message)
      events = events.slice(done)
    }
    next = slice.nextOffset
  }
  return answer(true, null)
}

function resolve(at: z.output<typeof point>, stream: Stream): Promise<bigint> | bigint {
  return 'offset' in at ? at.offset : locateTime(stream, at.timestamp)
}
