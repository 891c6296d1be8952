import type { DtsError } from '../errors.ts'
import { encodeJson } from './item.ts'
import type { CheckpointStore } from './store.ts'
import type { Lease, Position } from './types.ts'

/** How long a lease is taken for, in milliseconds: one invocation's worst case, and room to begin another. */
export interface LeaseTerms {
  readonly worstCaseMs: number
  readonly slackMs: number
}

/**
 * The lease that this run holds, and the position that it has reached. The position in memory may be ahead of the
 * stored one by what was done since the last commit; if the run dies there, that is sent again.
 */
export class HeldCheckpoint {
  readonly #store: CheckpointStore
  readonly #lease: Lease
  readonly #terms: LeaseTerms
  readonly #now: () => number
  #leaseUntil: number
  #position: Position
  #stored: Position

  constructor(
    store: CheckpointStore,
    lease: Lease,
    leaseUntil: number,
    position: Position,
    terms: LeaseTerms,
    now: () => number,
  ) {
    this.#store = store
    this.#lease = lease
    this.#leaseUntil = leaseUntil
    this.#position = position
    this.#stored = position
    this.#terms = terms
    this.#now = now
  }

  /** Until when a lease taken now lasts, in milliseconds since 1970. */
  static leaseUntil(now: number, terms: LeaseTerms): number {
    return now + terms.worstCaseMs + terms.slackMs
  }

  get position(): Position {
    return this.#position
  }

  /** What the item has. */
  get stored(): Position {
    return this.#stored
  }

  /** In milliseconds since 1970. */
  get leaseUntil(): number {
    return this.#leaseUntil
  }

  /** Whether an invocation that starts now ends within the lease even in its worst case. */
  coversInvocation(): boolean {
    return this.#now() + this.#terms.worstCaseMs <= this.#leaseUntil
  }

  /** Whether nobody else can hold the lease yet. */
  lasts(): boolean {
    return this.#now() <= this.#leaseUntil
  }

  /** Moves on to what is done by now; stored with the next commit. */
  pass(position: Position): void {
    this.#position = position
  }

  /** Stores the position and renews the lease. @throws DtsError LEASE_LOST */
  async commit(position: Position): Promise<void> {
    // A clock that was set back must not shorten the lease: the store would refuse that as a commit that comes late. Nor may
    // the lease stay the same: a run that has read it takes an unchanged end for an unchanged position.
    const leaseUntil = Math.max(this.#leaseUntil + 1, HeldCheckpoint.leaseUntil(this.#now(), this.#terms))
    await this.#store.commit(this.#lease, position, leaseUntil)
    this.#position = position
    this.#stored = position
    this.#leaseUntil = leaseUntil
  }

  /** Stores what is passed but not stored yet. @throws DtsError LEASE_LOST */
  async flush(): Promise<void> {
    if (differs(this.#position, this.#stored)) await this.commit(this.#position)
  }

  /**
   * Stops the stream at the position reached, until somebody runs recovery.
   * @param keepLease when a handler may still be running: then not even recovery begins before the lease is out
   * @throws DtsError LEASE_LOST
   */
  async halt({ code, message, facts, next }: DtsError, keepLease = false): Promise<void> {
    await this.flush()
    const halt = { code, message, facts, next, at: this.#now() }
    await this.#store.halt(this.#lease, halt, keepLease ? this.#leaseUntil : 0)
  }

  /** Gives the lease back. @throws DtsError LEASE_LOST */
  async release(): Promise<void> {
    await this.#store.release(this.#lease)
  }
}

/** Whether another run would do anything else from the one position than from the other. */
function differs(left: Position, right: Position): boolean {
  return (
    left.offset !== right.offset ||
    left.deadLetters.count !== right.deadLetters.count ||
    encodeJson(left.lanes).S !== encodeJson(right.lanes).S
  )
}
