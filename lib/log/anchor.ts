import type { Anchor, LaneState, Position } from '../checkpoint/types.ts'
import { decodeChange } from '../dts/decode-change.ts'
import { digestOf, identityOf } from '../dts/digest.ts'
import { readHeader } from '../dts/header.ts'
import type { RecordHeader } from '../dts/types.ts'
import { toSeconds } from '../time.ts'
import type { LoggedChange } from './statement-ordinals.ts'

/** Identifies a change, so that it can be recognised in the log of any cluster. */

/** Computes the digest of a change: `identify` or `identifyRouted`. */
export type Identify = (value: Buffer, header: RecordHeader) => string

/** @param ordinal the change's number within its statement; see `Anchor` */
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

/** Whether a record is the change of an anchor. */
export function isChangeOf(anchor: Anchor, value: Buffer | null): boolean {
  try {
    return value !== null && identify(value, readHeader(value)) === anchor.digest
  } catch {
    return false
  }
}

/**
 * Covers also the tags that decide the lane of a change: names and keys. Another cluster may tag records differently. Then
 * a lane that is ahead would skip changes that another lane should have delivered.
 */
export function identifyRouted(value: Buffer, header: RecordHeader): string {
  try {
    const { keys, logical } = decodeChange(value, header, { offset: 0n, generation: 0, replay: false }, [])
    return digestOf(Buffer.from(JSON.stringify([identityOf(value, header), keys, logical])))
  } catch {
    return digestOf(value)
  }
}

/** A change that no handler wanted may be undecodable after its header. Then its bytes identify it. */
export function identify(value: Buffer, header: RecordHeader): string {
  try {
    return identityOf(value, header)
  } catch {
    return digestOf(value)
  }
}

/** Only so many lanes are stored with their anchor: an item holds 400 KB, and an anchor takes some 200 bytes. */
const mostIdentified = 200

/**
 * The states of lanes. Each lane that is ahead gets the anchor of its last delivered change, to find that change in the
 * log of another cluster.
 * @param stored the lanes of the checkpoint; a lane that did not move since keeps its anchor
 * @param anchorAt computes the anchor of the change at an offset with `identifyRouted`
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
      const unmoved = stored[name]?.through === through ? stored[name].anchor : null
      return [name, { ...state, anchor: unmoved ?? anchorAt(through) }]
    }),
  )
}
