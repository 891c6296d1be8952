import { type Attributes, encodeLeaseEnd, encodeNumber, encodeText, stateText } from './item.ts'
import type { Checkpoint, Lease, StreamState } from './types.ts'

/**
 * The conditions of every write, in the words of the table "Writes of the checkpoint" in docs/spec.md. A write changes the
 * item only if all of its conditions hold. `:set_<attribute>` is the new value of an attribute.
 */

/** An expression for DynamoDB, by what it demands; and the values that it mentions. */
export interface Conditions {
  readonly expressions: Readonly<Record<string, string>>
  readonly values: Attributes
}

/** First start: no item. */
export const firstStart: Conditions = { expressions: { noItem: 'attribute_not_exists(#pk)' }, values: {} }

/**
 * Acquire: epoch and end of the lease as they were read, the lease ran out, one of these states.
 * @param expiry the lease must end before this, in milliseconds since 1970
 */
export function acquire(
  read: Checkpoint,
  expiry: number,
  states: readonly StreamState['state'][],
): Conditions {
  const stateValues = Object.fromEntries(
    states.map((state, index) => [`:state${index}`, encodeText(stateText(state))]),
  )
  return {
    expressions: {
      epochAsRead: '#epoch = :readEpoch',
      // A holder past its time may have committed and released since the read. Then the offset that was read is old.
      leaseAsRead: '#leaseUntil = :readLeaseUntil',
      leaseRanOut: '#leaseUntil < :expiry',
      mayRun: `#state IN (${Object.keys(stateValues).join(', ')})`,
    },
    values: { ...leaseAsRead(read), ':expiry': encodeNumber(expiry), ...stateValues },
  }
}

/** Commit: the lease is ours, the offset does not go back, the lease does not get shorter and was not released. */
export function commit(lease: Lease): Conditions {
  return {
    expressions: {
      ...leaseIsOurs,
      offsetDoesNotGoBack: '#offset <= :set_offset',
      // An earlier commit that arrives late would end the lease before its holder expects it.
      leaseDoesNotGetShorter: '#leaseUntil <= :set_leaseUntil',
      // A commit that arrives after the release would take the lease again, for a run that has ended.
      leaseIsNotReleased: '#leaseUntil > :released',
    },
    values: { ...holder(lease), ':released': encodeLeaseEnd(null) },
  }
}

/** Halt and release: the lease is ours. */
export function underLease(lease: Lease): Conditions {
  return { expressions: leaseIsOurs, values: holder(lease) }
}

/** Wish: the lease is held, by the holder that was read, and the stream runs. */
export function wish(read: Checkpoint): Conditions {
  return {
    expressions: {
      // A wish that arrives late must not reach the next holder.
      sameHolder: '#epoch = :readEpoch',
      leaseIsHeld: '#leaseUntil > :released',
      isRunning: '#state = :running',
    },
    values: {
      ':readEpoch': encodeNumber(read.epoch),
      ':released': encodeLeaseEnd(null),
      ':running': encodeText(stateText('RUNNING')),
    },
  }
}

/** Reset: the lease is ours, the state is as it was read. */
export function reset(lease: Lease, read: Checkpoint): Conditions {
  return {
    expressions: {
      ...leaseIsOurs,
      // A pause needs no lease. The move must not undo one that happened after the read.
      stateAsRead: '#state = :readState',
    },
    values: { ...holder(lease), ':readState': encodeText(stateText(read.state)) },
  }
}

/** Pause: the item exists, the stream runs, the generation is as it was read. */
export function pause(read: Checkpoint): Conditions {
  return {
    expressions: {
      itemExists: 'attribute_exists(#pk)',
      isRunning: '#state = :running',
      generationAsRead: '#generation = :generation',
    },
    values: {
      ':running': encodeText(stateText('RUNNING')),
      ':generation': encodeNumber(read.generation),
    },
  }
}

/** Resume: the stream does not run, epoch and end of the lease are as they were read. */
export function resume(read: Checkpoint): Conditions {
  return {
    expressions: {
      noTakerSinceRead: '#epoch = :readEpoch',
      // A run that was at work during the pause may have committed since. Its lanes must not be set back.
      noWriteSinceRead: '#leaseUntil = :readLeaseUntil',
      isHalted: '#state = :halted',
    },
    values: { ...leaseAsRead(read), ':halted': encodeText(stateText('HALTED')) },
  }
}

/** Release by recovery, which breaks the lease: epoch, end of the lease and state are as they were read. */
export function breakLease(read: Checkpoint): Conditions {
  return {
    expressions: {
      sameHolder: '#epoch = :readEpoch',
      sameLease: '#leaseUntil = :readLeaseUntil',
      // A resume writes the ledger without a lease, and its entry must not be lost.
      sameState: '#state = :readState',
    },
    values: { ...leaseAsRead(read), ':readState': encodeText(stateText(read.state)) },
  }
}

const leaseIsOurs = {
  epochIsOurs: '#epoch = :epoch',
  ownerIsUs: '#owner = :owner',
  generationIsOurs: '#generation = :generation',
}

function holder(lease: Lease): Attributes {
  return {
    ':epoch': encodeNumber(lease.epoch),
    ':owner': encodeText(lease.owner),
    ':generation': encodeNumber(lease.generation),
  }
}

function leaseAsRead(read: Checkpoint): Attributes {
  return { ':readEpoch': encodeNumber(read.epoch), ':readLeaseUntil': encodeLeaseEnd(read.leaseUntil) }
}
