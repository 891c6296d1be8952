import type { Anchor } from './checkpoint/types.ts'
import { digestOf, identityOf } from './dts/digest.ts'
import { readHeader } from './dts/header.ts'
import type { RecordHeader } from './dts/types.ts'
import { toSeconds } from './time.ts'

/** What a change is recognised by, on whatever cluster it is read. */

/** @param ordinal as `Anchor` says */
export function anchorOf(
  { offset, value }: { readonly offset: bigint; readonly value: Buffer },
  header: RecordHeader,
  ordinal: number | null,
): Anchor {
  return {
    offset,
    timestamp: toSeconds(header.sourceTimestamp),
    sourcePosition: header.sourcePosition,
    transactionId: header.sourceTxid,
    ordinal,
    digest: identify(value, header),
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

/** A change may be undecodable behind its header, when no handler has asked for it: then its bytes identify it. */
export function identify(value: Buffer, header: RecordHeader): string {
  try {
    return identityOf(value, header)
  } catch {
    return digestOf(value)
  }
}
