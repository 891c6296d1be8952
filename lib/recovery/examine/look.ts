import { type Checkpoint, type Halt, haltOf } from '../../checkpoint/types.ts'
import { maskerFor } from '../../dispatch/mask.ts'
import { problemsOf } from '../../dispatch/pattern.ts'
import type { Stream } from '../../kafka/stream.ts'
import * as z from '../../schema.ts'
import { printable } from '../../text/printable.ts'
import type { RecoveryDependencies } from '../dependencies.ts'
import { findPart, pointSchema } from '../log-part.ts'
import type { SendDependencies } from '../resend/send.ts'
import { ChangeReader, type SeenChange } from './change-reader.ts'
import { describeFault } from './checks.ts'
import type { DescribedChange } from './describe-change.ts'
import { beginOf, doneBefore, type Fate, fateOf, type PositionInLog, positionIn } from './fate.ts'
import { lagSeconds } from './lag.ts'
import { type LookedPart, type LookLimits, lookBack, lookUp } from './look-part.ts'
import { partsOfKey } from './row-key.ts'

const tablePattern = z.string().check(z.maxLength(300), ({ value, issues }) => {
  const [problem] = problemsOf({ patterns: [value], except: [] })
  if (problem !== undefined) issues.push({ code: 'custom', message: problem, input: value })
})

export const lookSchema = z.strictObject({
  action: z.literal('look'),
  /** The part of the log; without `from`, the newest changes are searched back from `to`, or from the end. */
  from: z.optional(pointSchema),
  to: z.optional(pointSchema),
  /** With `from`: reads the part from its end, and lists its newest changes. */
  newest: z._default(z.boolean(), false),
  /** As in the records: `database.table`; `*` is any text. */
  table: z.optional(tablePattern),
  /** `7`, `id=7`, or several such parts separated by spaces. */
  key: z.optional(
    z.string().check(
      z.maxLength(1_000),
      z.refine((key) => partsOfKey(key).length > 0, 'names no row'),
    ),
  ),
  /** The most changes to list. */
  max: z._default(z.int().check(z.minimum(1), z.maximum(200)), 50),
})

export interface LookedChange extends Omit<DescribedChange, 'offset'> {
  readonly offset: string
  readonly functions: readonly string[]
  /** Columns whose values the mask of the handler hides, each with its effect. */
  readonly masked: readonly string[]
  /** Why its values are left out; null if they are not. */
  readonly withheld: string | null
  readonly fate: Fate
}

/** A table of the part that was read. */
export interface LookedTable {
  readonly table: string
  /** Null: no function gets its rows. */
  readonly function: string | null
  /** Row changes in the part. */
  readonly changes: number
  readonly lastOffset: string
  readonly lastOperation: string
}

export interface LookResult {
  readonly action: 'look'
  readonly clusterId: string
  /** Offsets that the broker has: the first one, and the next one. */
  readonly range: { readonly earliest: string; readonly end: string }
  /** What was read: the first offset, the offset after the last one, and the number of records. */
  readonly read: { readonly from: string; readonly to: string; readonly records: number }
  /** In the order of the log. */
  readonly changes: readonly LookedChange[]
  /** Matching changes in the part that was read, which are not listed. */
  readonly more: number
  /** Changes whose rows could not be searched: their values must not be seen. */
  readonly unsearched: number
  /** The busiest ones first. */
  readonly tables: readonly LookedTable[]
  readonly otherTables: number
  /** The checkpoint after the reading; null if there is none, or if it cannot be read. */
  readonly position: {
    readonly clusterId: string
    readonly offset: string
    readonly generation: number
    /** Where this generation began; null if the ledger does not tell. */
    readonly begin: string | null
    /** In seconds. */
    readonly timestamp: number
    readonly state: Checkpoint['state']
    readonly halt: Pick<Halt, 'code' | 'message' | 'at'> | null
    readonly lagSeconds: number
    /** For each function that is ahead of the offset, below which one it has done all of its changes. */
    readonly ahead: Readonly<Record<string, string>>
  } | null
  /** Where an equal look continues; null if it read all that was asked for. */
  readonly next: { readonly from?: { offset: string }; readonly to?: { offset: string } } | null
  /** Why the reading ended early; null if it did not. */
  readonly error: string | null
  /** What the answer leaves out, for people. */
  readonly notes: readonly string[]
}

export interface LookDependencies
  extends Pick<RecoveryDependencies, 'now' | 'remainingMs'>,
    Pick<SendDependencies, 'routes' | 'ghostTables' | 'maskKey'> {
  readonly store: Pick<RecoveryDependencies['store'], 'read'>
}

/** One look takes a fraction of Lambda's 6 MB and of recovery's time. */
const usual = { records: 200_000, bytes: 128 * 1024 * 1024, answerBytes: 2_000_000 }
const longestMs = 15_000
/** The answer needs the rest. */
const reserveMs = 10_000
const mostTables = 200
const tooSlow = `The broker is too slow: within ${longestMs / 1_000} seconds not one part of the log could be read. Run it again later.`

/**
 * Shows changes of the log, masked as for their handlers, and what the checkpoint says about each. It only reads: no lease, no
 * commit, no consumer group.
 * @throws DtsError CHECKPOINT_OUT_OF_RANGE, SECRET_UNAVAILABLE, and what a fetch throws before anything was read
 */
export async function look(
  event: z.output<typeof lookSchema>,
  dependencies: LookDependencies,
  stream: Stream,
  bounds: Omit<LookLimits, 'mayContinue'> = usual,
): Promise<LookResult> {
  const { routes, ghostTables, maskKey, store, now, remainingMs } = dependencies
  const masker = await maskerFor(routes, maskKey)
  const wanted = { table: event.table ?? null, key: partsOfKey(event.key ?? '') }
  const reader = new ChangeReader(routes, ghostTables, masker, wanted)
  const { from, to, range } = await findPart(event, stream, 'Nothing was read.')
  const end = to < range.end ? to : range.end
  const until = now() + longestMs
  const limits = { ...bounds, mayContinue: () => now() < until && remainingMs() > reserveMs }
  const readsUp = event.from !== undefined && !event.newest
  const asked = { from, end, max: event.max, untilFull: event.from === undefined }
  const part = readsUp
    ? await lookUp(stream, reader, asked, limits)
    : await lookBack(stream, reader, asked, limits)
  // An equal look would get no further.
  const readsNothing = part.from === part.to && from < end
  const read = await readPosition(store)
  const position: PositionInLog = read.fault ?? positionIn(read.stored, stream.clusterId, range.end)
  return {
    action: 'look',
    clusterId: stream.clusterId,
    range: { earliest: String(range.earliest), end: String(range.end) },
    read: { from: String(part.from), to: String(part.to), records: part.records },
    changes: part.changes.map((change) => toLooked(change, position)),
    more: part.more,
    unsearched: part.unsearched,
    ...tablesOf(part, reader),
    position: read.stored === null ? null : describePosition(read.stored, routes, range.end, now()),
    next: readsNothing ? null : readsUp ? placeAfter(part, end) : placeBelow(part, from),
    error: part.fault !== null ? describeFault(part.fault) : readsNothing ? tooSlow : null,
    notes: notesOf(part, read.fault?.unknown ?? null),
  }
}

interface ReadPosition {
  readonly stored: Checkpoint | null
  readonly fault: { readonly unknown: string } | null
}

/** After the changes, so that one that was delivered meanwhile does not count as waiting. */
async function readPosition(store: LookDependencies['store']): Promise<ReadPosition> {
  try {
    return { stored: await store.read(), fault: null }
  } catch (error) {
    return { stored: null, fault: { unknown: `The checkpoint cannot be read. ${describeFault(error)}` } }
  }
}

function toLooked(change: SeenChange, position: PositionInLog): LookedChange {
  const { settled, lanes, offset, table, ...shown } = change
  return {
    ...shown,
    table: printable(table),
    offset: String(offset),
    fate: settled ?? fateOf(offset, lanes, position),
  }
}

function tablesOf({ tables }: LookedPart, reader: ChangeReader): Pick<LookResult, 'tables' | 'otherTables'> {
  const busiest = [...tables].sort(([, one], [, other]) => other.changes - one.changes)
  return {
    tables: busiest.slice(0, mostTables).map(([table, { changes, lastOffset, lastOperation }]) => {
      const name = reader.routeOf(table)?.functionName ?? null
      return {
        table: printable(table),
        function: name,
        changes,
        lastOffset: String(lastOffset),
        lastOperation,
      }
    }),
    otherTables: Math.max(0, busiest.length - mostTables),
  }
}

function describePosition(
  stored: Checkpoint,
  routes: LookDependencies['routes'],
  end: bigint,
  now: number,
): LookResult['position'] {
  const { clusterId, offset, generation, timestamp, state } = stored
  const halt = haltOf(stored)
  const ahead = Object.values(routes).flatMap((route) => {
    const before = doneBefore(route, stored)
    return before === offset ? [] : [[route.functionName, String(before)] as const]
  })
  return {
    clusterId,
    offset: String(offset),
    generation,
    begin: beginOf(stored),
    timestamp,
    state,
    halt: halt === null ? null : { code: halt.code, message: halt.message, at: halt.at },
    lagSeconds: lagSeconds(stored, offset === end, now),
    ahead: Object.fromEntries(ahead),
  }
}

function placeAfter({ to }: LookedPart, end: bigint): LookResult['next'] {
  return to < end ? { from: { offset: String(to) } } : null
}

function placeBelow({ from, changes, more }: LookedPart, first: bigint): LookResult['next'] {
  const [oldest] = changes
  if (more > 0 && oldest !== undefined) return { to: { offset: String(oldest.offset) } }
  return from > first ? { to: { offset: String(from) } } : null
}

function notesOf({ changes, unsearched }: LookedPart, fault: string | null): string[] {
  return [
    ...(fault === null ? [] : [fault]),
    ...(changes.some(({ masked }) => masked.length > 0)
      ? ['Masked columns are shown as the handler gets them: hashed, or left out.']
      : []),
    ...(unsearched === 0
      ? []
      : [
          `${unsearched} changes were not searched: they cannot be read or masked, or no function gets them, so that no mask ` +
            'says which of their values may be seen.',
        ]),
  ]
}

/** What the log of recovery keeps of a look: nothing that a row contains. */
export function withoutChanges({ action, read, changes, more, error }: LookResult): object {
  return { action, read, changes: changes.length, more, error }
}
