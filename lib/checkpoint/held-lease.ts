import type { DtsError } from '../errors.ts'
import { encodeJson } from './item.ts'
import type { CheckpointStore } from './store.ts'
import type { Checkpoint, Lease, Position, Start, Wish } from './types.ts'

/** The length of a lease, in milliseconds: the worst case of one invocation, and time to start another. */
export interface LeaseTerms {
  readonly worstCaseMs: number
  readonly slackMs: number
}

/**
 * The lease of this run, and the position that the run has reached. The position in memory may be ahead of the stored one. If
 * the run dies, the next run sends the changes since the last commit again.
 */
export class HeldLease {
  readonly #store: CheckpointStore
  readonly #lease: Lease
  readonly #terms: LeaseTerms
  readonly #now: () => number
  #leaseUntil: number
  #position: Position
  #stored: Position
  #watches = false
  #wish: Wish | null = null

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

  /** The end of a lease that is taken now, in milliseconds since 1970. */
  static leaseUntil(now: number, terms: LeaseTerms): number {
    return now + terms.worstCaseMs + terms.slackMs
  }

  get position(): Position {
    return this.#position
  }

  /** The position of the item. */
  get stored(): Position {
    return this.#stored
  }

  /** The end of the lease, in milliseconds since 1970. */
  get leaseUntil(): number {
    return this.#leaseUntil
  }

  /** The last wish for this lease that a commit or `look` found; null if there is none. Only after `watch`. */
  get wish(): Wish | null {
    return this.#wish
  }

  /** From now on, each commit also asks whether another run wishes for this lease. */
  watch(): void {
    this.#watches = true
  }

  /** Asks the same without a commit. @throws DtsError CHECKPOINT_TABLE_UNAVAILABLE */
  async look(): Promise<void> {
    this.#note(await this.#store.wishFor(this.#lease))
  }

  #note(wish: Wish | null): void {
    if (wish !== null) this.#wish = wish
  }

  /** Whether an invocation that starts now ends within the lease even in its worst case. */
  coversInvocation(): boolean {
    return this.#now() + this.#terms.worstCaseMs <= this.#leaseUntil
  }

  /** Whether no other run can hold the lease yet. */
  lasts(): boolean {
    return this.#now() <= this.#leaseUntil
  }

  /** Moves the position in memory. The next commit stores it. */
  advance(position: Position): void {
    this.#position = position
  }

  /** Stores the position and renews the lease. @throws DtsError LEASE_LOST */
  async commit(position: Position): Promise<void> {
    // If the clock was set back, the lease must not get shorter: the store would refuse the commit as a late one. It must not
    // stay equal either: a run that has read the item takes an unchanged end for an unchanged position.
    const leaseUntil = Math.max(this.#leaseUntil + 1, HeldLease.leaseUntil(this.#now(), this.#terms))
    const found = this.#watches ? (wish: Wish | null) => this.#note(wish) : undefined
    await this.#store.commit(this.#lease, position, leaseUntil, found)
    this.#position = position
    this.#stored = position
    this.#leaseUntil = leaseUntil
  }

  /** Stores the position, unless the item has it already. @throws DtsError LEASE_LOST */
  async flush(): Promise<void> {
    if (differs(this.#position, this.#stored)) await this.commit(this.#position)
  }

  /**
   * Stops the stream at the position reached, until a person runs recovery.
   * @param keepLease if a handler may still be running: then not even recovery starts before the end of the lease
   * @throws DtsError LEASE_LOST
   */
  async halt({ code, message, facts, next }: DtsError, keepLease = false): Promise<void> {
    await this.flush()
    const halt = { code, message, facts, next, at: this.#now() }
    await this.#store.halt(this.#lease, halt, keepLease ? this.#leaseUntil : null)
  }

  /** Moves the checkpoint, and releases the lease. @throws DtsError LEASE_LOST, LEASE_HELD if the stream was paused since */
  async move(read: Checkpoint, start: Start): Promise<void> {
    await this.#store.reset(this.#lease, read, start)
  }

  /** Releases the lease. @throws DtsError LEASE_LOST */
  async release(): Promise<void> {
    await this.#store.release(this.#lease)
  }
}

/** Whether a run would behave differently after one position than after the other. */
function differs(left: Position, right: Position): boolean {
  return (
    left.offset !== right.offset ||
    left.deadLetters.count !== right.deadLetters.count ||
    encodeJson(left.lanes).S !== encodeJson(right.lanes).S
  )
}
