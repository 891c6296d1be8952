import * as conditions from './conditions.ts'
import {
  type Attributes,
  encodeJson,
  encodeLeaseEnd,
  encodeNumber,
  encodeReplay,
  encodeText,
  positionAttributes,
  schemaVersion,
  stateAttributes,
} from './item.ts'
import {
  type Checkpoint,
  type Halt,
  type Lease,
  type LedgerEntry,
  type LedgerNote,
  type LedgerPlace,
  noDeadLetters,
  type Pause,
  type Position,
  type Start,
  type StreamState,
  type Wish,
  withoutTrouble,
} from './types.ts'
import { encodeWish } from './wish.ts'

/** Every change of the item, as pure functions. The store sends them. */

/** One conditional write: the new values of attributes, and the conditions under which they apply. */
export interface Write {
  readonly attributes: Attributes
  readonly conditions: conditions.Conditions
}

const ledgerLength = 20
const running: StreamState = { state: 'RUNNING' }

/**
 * The generation of a move. It was never used before, even if the item was deleted or restored from a backup meanwhile. The
 * handlers' fence compares generation and offset, and drops a change of an older generation as done.
 * @param stored the item's generation; null for a first start
 * @param at milliseconds since 1970
 * @param used as `Start.usedGeneration`
 */
export function generationAfter(stored: number | null, at: number, used: number | null = null): number {
  return Math.max((stored ?? 0) + 1, (used ?? 0) + 1, Math.floor(at / 1000))
}

export function create(start: Start, owner: string, leaseUntil: number): Write & { lease: Lease } {
  const lease = { owner, epoch: 1, generation: generationAfter(null, start.entry.at, start.usedGeneration) }
  const to = placeOf(start.clusterId, start.position.offset, lease.generation)
  return {
    lease,
    conditions: conditions.firstStart,
    attributes: {
      ...positionAttributes(start.position),
      ...stateAttributes(running),
      schemaVersion: encodeNumber(schemaVersion),
      epoch: encodeNumber(lease.epoch),
      owner: encodeText(owner),
      leaseUntil: encodeLeaseEnd(leaseUntil),
      generation: encodeNumber(lease.generation),
      clusterId: encodeText(start.clusterId),
      replayUntil: encodeReplay(start.replayUntil),
      ledger: encodeJson([{ ...start.entry, from: null, to }]),
    },
  }
}

/** @param expiry as in `conditions.acquire` */
export function acquire(
  read: Checkpoint,
  owner: string,
  expiry: number,
  leaseUntil: number,
  states: readonly StreamState['state'][],
): Write & { lease: Lease } {
  const lease = { owner, epoch: read.epoch + 1, generation: read.generation }
  return {
    lease,
    conditions: conditions.acquire(read, expiry, states),
    attributes: {
      epoch: encodeNumber(lease.epoch),
      owner: encodeText(owner),
      leaseUntil: encodeLeaseEnd(leaseUntil),
    },
  }
}

export function commit(lease: Lease, position: Position, leaseUntil: number): Write {
  return {
    conditions: conditions.commit(lease),
    attributes: { ...positionAttributes(position), leaseUntil: encodeLeaseEnd(leaseUntil) },
  }
}

export function halt(lease: Lease, reason: Halt, leaseUntil: number | null): Write {
  return {
    conditions: conditions.underLease(lease),
    attributes: {
      ...stateAttributes({ state: 'HALTED', halt: reason }),
      leaseUntil: encodeLeaseEnd(leaseUntil),
    },
  }
}

export function release(lease: Lease): Write {
  return { conditions: conditions.underLease(lease), attributes: { leaseUntil: encodeLeaseEnd(null) } }
}

/** Changes nothing that another write or a run depends on. */
export function wish(read: Checkpoint, asked: Wish): Write {
  return { conditions: conditions.wish(read), attributes: { wish: encodeWish(asked) } }
}

/** One write, so that no reader ever sees half of a move. */
export function reset(lease: Lease, read: Checkpoint, start: Start): Write & { generation: number } {
  const generation = generationAfter(read.generation, start.entry.at, start.usedGeneration)
  const to = placeOf(start.clusterId, start.position.offset, generation)
  return {
    generation,
    conditions: conditions.reset(lease, read),
    attributes: {
      ...positionAttributes(start.position),
      ...stateAttributes(running),
      generation: encodeNumber(generation),
      clusterId: encodeText(start.clusterId),
      replayUntil: encodeReplay(start.replayUntil),
      ledger: ledgerWith(read, start.entry, to),
      leaseUntil: encodeLeaseEnd(null),
    },
  }
}

export function pause(read: Checkpoint, why: Pause): Write {
  return {
    conditions: conditions.pause(read),
    attributes: stateAttributes({ state: 'PAUSED', pause: why }),
  }
}

export function resume(read: Checkpoint, note: LedgerNote): Write {
  return {
    conditions: conditions.resume(read),
    attributes: {
      ...stateAttributes(running),
      lanes: encodeJson(withoutTrouble(read.lanes)),
      deadLetters: encodeJson(noDeadLetters),
      ledger: ledgerWith(read, note, hereOf(read)),
    },
  }
}

export function breakLease(read: Checkpoint, owner: string, leaseUntil: number, note: LedgerNote): Write {
  return {
    conditions: conditions.breakLease(read),
    attributes: {
      epoch: encodeNumber(read.epoch + 1),
      owner: encodeText(owner),
      leaseUntil: encodeLeaseEnd(leaseUntil),
      ledger: ledgerWith(read, note, hereOf(read)),
    },
  }
}

function ledgerWith(read: Checkpoint, note: LedgerNote, to: LedgerPlace) {
  const entry: LedgerEntry = { ...note, from: hereOf(read), to }
  return encodeJson([...read.ledger, entry].slice(-ledgerLength))
}

function hereOf({ clusterId, offset, generation }: Checkpoint): LedgerPlace {
  return placeOf(clusterId, offset, generation)
}

function placeOf(clusterId: string, offset: bigint, generation: number): LedgerPlace {
  return { clusterId, offset: offset.toString(), generation }
}
