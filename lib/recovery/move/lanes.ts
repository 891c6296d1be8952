import { leastMargin, timesOf } from '../../checkpoint/source-times.ts'
import {
  type Anchor,
  type Checkpoint,
  haltOf,
  type Position,
  type StreamState,
  withoutTrouble,
} from '../../checkpoint/types.ts'
import type { Comparison, LaneMatches } from '../../log/compare.ts'
import type { KnownProgress, Progress } from '../../log/progress.ts'

/** The progress of the lanes that are ahead of the checkpoint, after a move. */
export interface LaneProgress {
  /** The lanes that stay ahead, with offsets of this log. */
  readonly lanes: Position['lanes']
  /**
   * Until which source time (seconds) the other lanes may have delivered changes; -1: there are no others; null: unknown.
   */
  readonly forgottenUntil: number | null
}

/** Runs that died, and functions that were ahead, may have delivered everything that the log had by now. */
const allUnknown: LaneProgress = { lanes: {}, forgottenUntil: null }

/** The lanes of a checkpoint whose stream continues at `offset`, where nothing is lost. */
export function keptLanes(read: Checkpoint, comparison: Comparison, offset: bigint): LaneProgress {
  return sinceBackup(read, lanesIn(read, comparison, offset))
}

function lanesIn(read: Progress, comparison: Comparison, offset: bigint): LaneProgress {
  switch (comparison.kind) {
    case 'same-log':
      return { lanes: withoutTrouble(read.lanes), forgottenUntil: -1 }
    case 'anchor':
    case 'no-anchor':
      return lanesFound(offset, read, comparison.lanes)
    case 'empty':
    case 'unreadable':
      return forgetLanes(read)
  }
}

/** If a person names a place, no lane stays ahead: everything from there on is delivered to all functions. */
export function forgottenLanes(
  read: Checkpoint | null,
  source: Exclude<KnownProgress['source'], 'unanswered'>,
): LaneProgress {
  if (source === 'nothing') return { lanes: {}, forgottenUntil: -1 }
  if (source !== 'checkpoint' || read === null) return allUnknown
  return sinceBackup(read, forgetLanes(read))
}

function forgetLanes(read: Progress): LaneProgress {
  return lanesFound(0n, read, new Map())
}

/**
 * The group may have lost the commit that showed a restore from a backup. What was delivered after the backup is unknown
 * even then.
 */
function sinceBackup(read: StreamState, progress: LaneProgress): LaneProgress {
  return haltOf(read)?.code === 'CHECKPOINT_RESTORED' ? { ...progress, forgottenUntil: null } : progress
}

/** A lane stays ahead if this log holds the last change that it delivered, at or after the place to continue. */
function lanesFound(offset: bigint, read: Progress, found: LaneMatches): LaneProgress {
  const { youngest } = timesOf(read)
  const kept: Record<string, Position['lanes'][string]> = {}
  let forgottenUntil: number | null = -1
  for (const [name, { through, anchor }] of Object.entries(read.lanes)) {
    if (through === null) continue
    const here = anchor === null ? undefined : found.get(anchor)
    if (here !== undefined && here.anchor.offset >= offset)
      kept[name] = { through: here.anchor.offset, anchor: here.anchor, trouble: null }
    if (here?.exact !== true) forgottenUntil = later(forgottenUntil, anchor, youngest)
  }
  return { lanes: kept, forgottenUntil }
}

function later(until: number | null, anchor: Anchor | null, youngest: number): number | null {
  // A lane's changes may be younger than the last one that it delivered, but not younger than all that was read.
  return until === null || anchor === null ? null : Math.max(until, anchor.timestamp + leastMargin, youngest)
}
