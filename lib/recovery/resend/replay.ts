import type { RoutedEvent } from '../../dispatch/event.ts'
import { maskerFor } from '../../dispatch/mask.ts'
import { routeSlice } from '../../dispatch/route-slice.ts'
import { Router } from '../../dispatch/routes.ts'
import type { Route } from '../../dispatch/settings.ts'
import { DtsError, isDtsError } from '../../errors.ts'
import type { Fetched, Stream } from '../../kafka/stream.ts'
import { fetchBelow } from '../../log/scan.ts'
import * as z from '../../schema.ts'
import type { RecoveryDependencies } from '../dependencies.ts'
import { findPart, pointSchema } from '../log-part.ts'
import { firstBatch, mayInvoke, type SendDependencies, sendOnce } from './send.ts'

export const replaySchema = z.strictObject({
  action: z.literal('replay'),
  /** As in the records: `database.table`. */
  table: z.string().check(z.minLength(1)),
  from: pointSchema,
  /** The end, itself not replayed; the end of the log when left out. */
  to: z.optional(pointSchema),
  dryRun: z._default(z.boolean(), false),
})

export interface ReplayResult {
  readonly action: 'replay'
  readonly table: string
  readonly function: string
  /** Changes that the handler acknowledged; in a dry run, changes that it would be sent. */
  readonly replayed: number
  readonly from: string
  /** The offset where it stopped: continue from here if `complete` is false. */
  readonly next: string
  readonly complete: boolean
  readonly error: string | null
  /** More to know, for people; may be empty. */
  readonly note: string
}

export interface ReplayDependencies extends SendDependencies {
  readonly store: Pick<RecoveryDependencies['store'], 'read'>
}

const fetchBounds = { maxBytes: 4 * 1024 * 1024, maxWaitMs: 100 }

/**
 * Sends one table's history to its handler again, marked as replay. The checkpoint does not change. The poller may run
 * meanwhile, so a handler sees old changes between new ones. They have the current generation, so the fence of
 * lib/handler/fence.ts takes them for changes that it has seen.
 * @throws DtsError TABLE_UNROUTED, CHECKPOINT_OUT_OF_RANGE if the part does not begin in the log, or ends before it begins
 */
export async function replay(
  event: z.output<typeof replaySchema>,
  dependencies: ReplayDependencies,
  stream: Stream,
): Promise<ReplayResult> {
  const { routes, ghostTables } = dependencies
  const route = routeOf(event.table, new Router(routes, ghostTables))
  const own = withMasksOf(route.functionName, routes)
  const router = new Router(own, ghostTables)
  // A statement that names the table may be recorded under another table, or none. Only its offsets count, so nothing is masked.
  const { mask: _, ...unmasked } = route
  const onlyTable = new Router({ [event.table]: unmasked }, ghostTables)
  const { from, to, range } = await findPart(event, stream, 'Nothing was sent.')
  const logEnd = range.end
  const end = to < logEnd ? to : logEnd
  const masker = await maskerFor(own, dependencies.maskKey)
  const generation = (await dependencies.store.read())?.generation ?? 0
  const { topic, partition, clusterId } = stream
  // Each of these changes may have been delivered before, whatever its time.
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
    note: [
      ...(complete || to <= logEnd
        ? []
        : [`The log ends before offset ${to}: the next record gets ${logEnd}.`]),
      ...(replayed === 0 ? [] : [fenced]),
    ].join(' '),
  })
  while (next < end) {
    const slice = await readBelow(stream, next, logEnd)
    if (slice instanceof DtsError) return answer(false, slice.message)
    const part = { ...slice, from: 0, to: slice.records.length }
    const concerned = new Set(routeSlice(part, onlyTable, 'skip').events.map(({ offset }) => offset))
    const routedPart = routeSlice(part, router, 'skip', masker)
    let events: readonly RoutedEvent[] = routedPart.events.filter(
      (routed) =>
        routed.route.functionName === route.functionName &&
        concerned.has(routed.offset) &&
        routed.offset < end,
    )
    while (events.length > 0) {
      if (!event.dryRun && !mayInvoke(dependencies)) return answer(false, null)
      const fault = events[0]?.fault ?? null
      if (fault !== null) return answer(false, fault.message)
      const batch = firstBatch(events)
      const { done, error } = event.dryRun
        ? { done: batch.length, error: null }
        : await sendOnce(route.functionName, batch, origin, dependencies)
      replayed += done
      next = events[done]?.offset ?? routedPart.end
      if (error !== null) return answer(false, error.message)
      events = events.slice(done)
    }
    next = routedPart.end
    // A record of the part that cannot be masked must not be sent.
    if (routedPart.halt !== null && next < end) return answer(false, routedPart.halt.message)
  }
  return answer(next >= to, null)
}

/** @throws DtsError TABLE_UNROUTED */
function routeOf(table: string, router: Router): Route {
  const [route] = router.routesFor(table, () => null).routes
  if (route !== undefined) return route
  throw new DtsError(
    'TABLE_UNROUTED',
    `No function handles the table ${table}. Check the name: database.table.`,
    { retryable: false },
  )
}

/** Changes of other functions are not sent: a mask of theirs that does not fit a record must not end the replay. */
function withMasksOf(functionName: string, routes: SendDependencies['routes']): SendDependencies['routes'] {
  return Object.fromEntries(
    Object.entries(routes).map(([table, { mask, ...route }]) => {
      const isMasked = route.functionName === functionName && mask !== undefined
      return [table, isMasked ? { ...route, mask } : route]
    }),
  )
}

/** A failure does not hide how much was replayed before it. */
async function readBelow(stream: Stream, offset: bigint, end: bigint): Promise<Fetched | DtsError> {
  try {
    return await fetchBelow(stream, offset, end, fetchBounds)
  } catch (error) {
    if (isDtsError(error)) return error
    throw error
  }
}

const fenced =
  'Handlers that use the fence (lib/handler/fence.ts) have seen these changes and write nothing for them. A reset to that ' +
  'offset sends them in a new generation, which counts as newer.'
