import type { Checkpoint, StoredLane } from '../../checkpoint/types.ts'
import { laneName } from '../../dispatch/function-queue.ts'
import type { Route } from '../../dispatch/settings.ts'
import { formatTime } from '../../time.ts'
import { moves } from '../move/ledger.ts'
import { describeTrouble, failing } from './trouble.ts'

/** What the checkpoint says about a change. */
export interface Fate {
  /**
   * `done`: acknowledged by its function, or in the dead-letter queue. `passed`: the checkpoint is after it, because the stream began or
   * was moved there. `filtered`: the handler's operations or filter leave it out. `unhandled`: no function gets it.
   */
  readonly kind: 'done' | 'passed' | 'failing' | 'waiting' | 'filtered' | 'unhandled' | 'unknown'
  /** For people; null if the kind says all. */
  readonly reason: string | null
}

/** The facts that fates are judged by. */
export type KnownPosition = Pick<Checkpoint, 'clusterId' | 'offset' | 'lanes' | 'ledger'>

/** What the checkpoint says about this log, or why it says nothing. */
export type PositionInLog = KnownPosition | { readonly unknown: string }

/** @param stored null: nothing was read yet */
export function positionIn(stored: Checkpoint | null, clusterId: string, end: bigint): PositionInLog {
  if (stored === null) return { unknown: 'The stream has no checkpoint yet.' }
  if (stored.clusterId !== clusterId)
    return { unknown: `The checkpoint belongs to the cluster ${stored.clusterId}.` }
  if (stored.offset > end) return { unknown: 'The checkpoint is above the end of the log.' }
  return stored
}

/** @param lanes that get the change; empty if that is unknown */
export function fateOf(offset: bigint, lanes: readonly string[], position: PositionInLog): Fate {
  if ('unknown' in position) return { kind: 'unknown', reason: position.unknown }
  if (offset < position.offset) return handledBelow(offset, position)
  const states = lanes.map((name) => position.lanes[name])
  for (const state of states) {
    const { trouble = null } = state ?? {}
    if (failing(trouble) && trouble.offset === offset)
      return { kind: 'failing', reason: describeTrouble(trouble) }
  }
  return states.length > 0 && states.every((state) => isThrough(state, offset)) ? done : waiting
}

/** A change below the position is done if a generation has read it: one that was in this log from its start to its end. */
function handledBelow(offset: bigint, { clusterId, offset: position, ledger }: KnownPosition): Fate {
  // The last one first.
  const starts = moves(ledger)
  const [last] = starts
  if (last === undefined) return done
  let end = { clusterId, offset: position }
  for (const { from, to } of starts) {
    if (end.clusterId === clusterId && BigInt(to.offset) <= offset && offset < end.offset) return done
    // The first start, or older entries were dropped.
    if (from === null) break
    end = { clusterId: from.clusterId, offset: BigInt(from.offset) }
  }
  // What came before the oldest entry that is kept is not known. Mostly it is one generation.
  const wasDropped = starts.at(-1)?.from !== null
  if (wasDropped && end.clusterId === clusterId && offset < end.offset) return done
  const { at, by, how, to } = last
  return {
    kind: 'passed',
    reason:
      `The stream went past it: it was placed at offset ${to.offset} (${how}; by ${by}, ${formatTime(Math.floor(at / 1000))}). If its function ` +
      'got it, then in another log or before that.',
  }
}

/** Where the present generation began; null if the ledger does not tell. */
export function beginOf({ generation, ledger }: Pick<Checkpoint, 'generation' | 'ledger'>): string | null {
  const to = moves(ledger)[0]?.to
  return to?.generation === generation ? to.offset : null
}

/** The offset below which a function has done all of its changes, as far as the checkpoint shows. */
export function doneBefore(
  { functionName, concurrency }: Route,
  { offset, lanes }: Pick<KnownPosition, 'offset' | 'lanes'>,
): bigint {
  let least: bigint | null = null
  for (let index = 0; index < concurrency; index++) {
    const through = lanes[laneName(functionName, index, concurrency)]?.through ?? null
    // A lane that is not ahead may have nothing after the offset, or its next change right there.
    if (through === null) return offset
    if (least === null || through < least) least = through
  }
  return least === null || least < offset ? offset : least + 1n
}

function isThrough(state: StoredLane | undefined, offset: bigint): boolean {
  return state !== undefined && state.through !== null && offset <= state.through
}

const done: Fate = { kind: 'done', reason: null }
const waiting: Fate = { kind: 'waiting', reason: null }
