import type { Anchor, LaneState, Position } from '../checkpoint/types.ts'
import { decodeChange } from '../dts/decode-change.ts'
import { digestOf, identityOf } from '../dts/digest.ts'
import { readHeader } from '../dts/header.ts'
import type { RecordHeader } from '../dts/types.ts'
import { toSeconds } from '../time.ts'
import type { LoggedChange } from './statement-ordinals.ts'

/** What a change is recognised by, on whatever cluster it is read. */

/** How a change is digested; see `identify` and `identifyRouted`. */
export type Identify = (value: Buffer, header: RecordHeader) => string

/** @param ordinal as `Anchor` says */
export function anchorOf(
  { offset, value }: LoggedChange,
  ordinal: number | null,
  digest: Identify = identify,
): Anchor {
  const header = readHeader(value)
  return {
    offset,
    timestamp: toSeconds(header.sourceTimestamp),
    sourcePosition: header.sourcePosition,
    transactionId: header.sourceTxid,
    ordinal,
    digest: digest(value, header),
  }
}

/** Whether a record is the change that an anchor names. */
export function isChangeOf(anchor: Anchor, value: Buffer | null): boolean {
  try {
    return value !== null && identify(value, readHeader(value)) === anchor.digest
  } catch {
    return false
  }
}

/**
 * Beside what the record says, that which sends it to a lane: names and keys are told by tags, and another cluster may
 * tag records differently. A lane that is ahead there would pass over changes that were never its own here.
 */
export function identifyRouted(value: Buffer, header: RecordHeader): string {
  try {
    const { keys, logical } = decodeChange(value, header, { offset: 0n, generation: 0, replay: false }, [])
    return digestOf(Buffer.from(JSON.stringify([identityOf(value, header), keys, logical])))
  } catch {
    return digestOf(value)
  }
}

/** A change may be undecodable behind its header, when no handler has asked for it: then its bytes identify it. */
export function identify(value: Buffer, header: RecordHeader): string {
  try {
    return identityOf(value, header)
  } catch {
    return digestOf(value)
  }
}

/** Lanes beyond so many are stored without their change: an item holds 400 KB, and a change takes some 200 bytes. */
const mostIdentified = 200

/**
 * The states of lanes with the change that each one ahead is through, by which it is found in the log of another
 * cluster.
 * @param stored what the checkpoint has of them already; nothing is computed for a lane that did not move since
 * @param anchorAt of the change at an offset, by `identifyRouted`
 */
export function identifiedLanes(
  states: Readonly<Record<string, LaneState>>,
  stored: Position['lanes'],
  anchorAt: (offset: bigint) => Anchor | null,
): Position['lanes'] {
  let count = 0
  return Object.fromEntries(
    Object.entries(states).map(([name, state]) => {
      const { through } = state
      if (through === null || ++count > mostIdentified) return [name, { ...state, anchor: null }]
      const known = stored[name]?.through === through ? stored[name].anchor : null
      return [name, { ...state, anchor: known ?? anchorAt(through) }]
    }),
  )
}
