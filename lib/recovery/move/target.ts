import type { Checkpoint } from '../../checkpoint/types.ts'
import { timeSchema } from '../../config.ts'
import { DtsError, type ResetTarget } from '../../errors.ts'
import { type DataRange, formatOffsets } from '../../kafka/data-range.ts'
import { type GroupAnswer, restoredFault, sharedGroup } from '../../log/group.ts'
import type { Survey } from '../../log/survey.ts'
import * as z from '../../schema.ts'
import { offsetSchema } from '../offset-schema.ts'
import { moves } from './ledger.ts'
import { type Refusal, refuse } from './refusal.ts'

/** The places that a reset can be sent to. */
export const targetSchema = z.union(
  [
    z.enum(['earliest', 'latest', 'committed']),
    z.strictObject({ timestamp: timeSchema }),
    z.strictObject({ offset: offsetSchema }),
    /** The position before that move; 0 is the last move of the ledger, 1 the one before; see `moves`. */
    z.strictObject({ ledger: z.int().check(z.minimum(0)) }),
  ],
  'must be "earliest", "latest", "committed", {"timestamp":…}, {"offset":…} or {"ledger":…}',
)
export type Target = z.output<typeof targetSchema>

/** How a person names a place. */
export type NamedBy = 'timestamp' | 'offset' | 'earliest' | 'latest' | 'committed' | 'ledger'

export type ResolvedTarget =
  /** No place was named: the move goes where nothing is lost. */
  { readonly kind: 'safe'; readonly read: Checkpoint } | NamedTarget

export interface NamedTarget {
  readonly kind: 'named'
  readonly how: NamedBy
  /** The place as a next step names it. */
  readonly to: ResetTarget
  readonly offset: bigint
  /** The time that the place was looked up by, in seconds. */
  readonly asked: number | null
}

/** The time that the survey has to locate, in seconds; null if none. */
export function secondsOf(to: Target | undefined): number | null {
  return typeof to === 'object' && 'timestamp' in to ? to.timestamp : null
}

/** Resolves the target of a request. This comes before the search of the log, which may take minutes. */
export function resolveTarget(
  to: Target | undefined,
  read: Checkpoint | null,
  survey: Survey,
): ResolvedTarget | Refusal {
  if (to === undefined) return resolveSafe(read, survey)
  const resolved = resolveNamed(to, read, survey)
  if (resolved.kind === 'refusal') return resolved
  const { clusterId, range, ends, known } = survey
  if (resolved.offset < range.earliest || resolved.offset > range.end) {
    return noSuchPlace(
      `The offset ${resolved.offset} is not one where reading can begin: cluster ${clusterId} has ${formatOffsets(range)}.`,
      { earliest: String(range.earliest), end: String(range.end) },
    )
  }
  if (ends.kind === 'empty') return emptyLog(clusterId, range)
  if (known.source === 'unanswered') return refuse('group-unanswered', known.fault)
  return resolved
}

function resolveSafe(read: Checkpoint | null, { group, range }: Survey): ResolvedTarget | Refusal {
  if (read === null) {
    return refuse(
      'no-checkpoint',
      new DtsError(
        'CHECKPOINT_MISSING',
        'There is no checkpoint to resume from. Say where to start: at a time, or at the earliest or latest record.',
        {
          retryable: false,
          next: [
            { action: 'reset', to: 'earliest', purpose: 'deliver everything that the log holds' },
            { action: 'reset', to: 'latest', purpose: 'deliver only what is written from now on' },
          ],
        },
      ),
    )
  }
  const restored = restoredFault(read, group, range)
  return restored === null ? { kind: 'safe', read } : refuse('restored', restored)
}

function resolveNamed(to: Target, read: Checkpoint | null, survey: Survey): NamedTarget | Refusal {
  const { range, located } = survey
  const named = (how: NamedBy, offset: bigint, asked: number | null = null) =>
    ({ kind: 'named', how, to: asResetTarget(to), offset, asked }) as const
  if (to === 'earliest') return named(to, range.earliest)
  if (to === 'latest') return named(to, range.end)
  if (to === 'committed') return resolveCommitted(survey.group)
  if ('offset' in to) return named('offset', to.offset)
  if ('ledger' in to) return resolveLedger(to.ledger, read, survey.clusterId)
  if (located === null) throw new TypeError('The survey did not look for the time of the target.')
  if (located.kind === 'at') return named('timestamp', located.offset, to.timestamp)
  const isOutside = located.fault.code === 'CHECKPOINT_OUT_OF_RANGE'
  return refuse(isOutside ? 'no-such-place' : 'unreadable', located.fault)
}

function resolveCommitted(group: GroupAnswer): NamedTarget | Refusal {
  if (!group.isKnown) return refuse('group-unanswered', group.error)
  const { committed } = group
  if (committed === null) return noSuchPlace('The consumer group holds no offset on this cluster.')
  const { offset, mark } = committed
  if (mark.whose !== 'another deployment')
    return { kind: 'named', how: 'committed', to: 'committed', offset, asked: null }
  return refuse(
    'group-shared',
    new DtsError(
      'GROUP_SHARED',
      `${sharedGroup(mark.deployment)} Its offset ${offset} says nothing about this stream, and nothing was done. Say where ` +
        'to continue by a time or an offset instead of "committed".',
      { retryable: false, facts: { offset: String(offset) } },
    ),
  )
}

function resolveLedger(number: number, read: Checkpoint | null, clusterId: string): NamedTarget | Refusal {
  const entry = moves(read?.ledger ?? [])[number]?.from
  if (entry == null) return noSuchPlace(`The ledger has no earlier position at entry ${number}.`)
  if (entry.clusterId !== clusterId) {
    return noSuchPlace(
      `That position belongs to cluster ${entry.clusterId}, but the broker is cluster ${clusterId} now, where the offset ` +
        'means nothing. Use a timestamp instead.',
    )
  }
  return { kind: 'named', how: 'ledger', to: { ledger: number }, offset: BigInt(entry.offset), asked: null }
}

function asResetTarget(to: Target): ResetTarget {
  return typeof to === 'object' && 'offset' in to ? { offset: String(to.offset) } : to
}

function noSuchPlace(message: string, facts: Record<string, string> = {}): Refusal {
  return refuse(
    'no-such-place',
    new DtsError('CHECKPOINT_OUT_OF_RANGE', message, { retryable: false, facts }),
  )
}

/** Without any record, nothing shows which changes lie before a place. */
export function emptyLog(clusterId: string, { earliest, end }: DataRange): Refusal {
  return refuse(
    'empty-log',
    new DtsError(
      'CHECKPOINT_OUT_OF_RANGE',
      `The log of cluster ${clusterId} holds no record, so no place in it has a time. DTS may still be filling it: ` +
        'wait, and run the same again.',
      { retryable: true, facts: { earliest: String(earliest), end: String(end) } },
    ),
  )
}
