import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DtsError } from '../errors.ts'
import { clockSkewMs, isLeaseTooLong, leaseHeld, leaseLost, leaseTooLong } from './lease-limits.ts'
import { CheckpointTable } from './table.ts'
import * as transitions from './transitions.ts'
import {
  type Checkpoint,
  type Halt,
  haltOf,
  type Lease,
  type LedgerNote,
  type Pause,
  type Position,
  type Start,
  type StreamState,
  type Wish,
} from './types.ts'

/**
 * The checkpoint of one topic and partition: one DynamoDB item. Only conditional UpdateItem requests change it. `transitions.ts`
 * says what each of them writes, `conditions.ts` when it may. This class sends them and says why DynamoDB refused one.
 *
 * A client repeats a request whose reply was lost. If the first try was applied, the conditions refuse the repetition. So each
 * method first checks whether the item already is what the write would have made of it.
 *
 * Each method throws CHECKPOINT_TABLE_UNAVAILABLE if DynamoDB cannot be used. Writes under a lease throw LEASE_LOST if the
 * lease is no longer ours.
 */
export class CheckpointStore {
  readonly #table: CheckpointTable
  readonly #clockSkewMs: number

  /** @param skewMs how far the clocks of two holders may be apart */
  constructor(
    client: DynamoDBClient,
    table: string,
    topic: string,
    partition: number,
    skewMs: number = clockSkewMs,
  ) {
    this.#table = new CheckpointTable(client, table, `${topic}/${partition}`)
    this.#clockSkewMs = skewMs
  }

  /** A consistent read. */
  async read(): Promise<Checkpoint | null> {
    return await this.#table.read()
  }

  /** Writes the first checkpoint and takes its lease. @throws DtsError LEASE_HELD if another run was first */
  async create(start: Start, owner: string, leaseUntil: number): Promise<Lease> {
    const { lease, ...write } = transitions.create(start, owner, leaseUntil)
    await this.#write(write, (found) => {
      if (found?.owner !== owner) throw leaseHeld(found?.leaseUntil ?? null)
    })
    return lease
  }

  /**
   * Takes the lease of the checkpoint as it was read.
   * @param states in which states the taker may work: the poller only in RUNNING, recovery in all
   * @throws DtsError LEASE_HELD, LEASE_TOO_LONG
   */
  async acquire(
    read: Checkpoint,
    owner: string,
    now: number,
    leaseUntil: number,
    states: readonly StreamState['state'][],
  ): Promise<Lease> {
    const expiry = now - this.#clockSkewMs
    const { lease, ...write } = transitions.acquire(read, owner, expiry, leaseUntil, states)
    await this.#write(write, (item) => {
      if (item?.owner === owner) return
      const found = item ?? read
      throw isLeaseTooLong(found, now) ? leaseTooLong(found) : leaseHeld(found.leaseUntil)
    })
    return lease
  }

  /**
   * Takes the lease away from its holder and lets it end at `leaseUntil`. From then on, the holder's writes are refused. For a
   * lease that ends later than any run can hold it.
   * @throws DtsError LEASE_HELD if the item was written since it was read
   */
  async breakLease(read: Checkpoint, owner: string, leaseUntil: number, note: LedgerNote): Promise<void> {
    await this.#write(transitions.breakLease(read, owner, leaseUntil, note), (found) => {
      if (found?.owner !== owner) throw leaseHeld(found?.leaseUntil ?? null)
    })
  }

  /**
   * Moves the position forward and renews the lease, in one write. A repetition changes nothing.
   * @param found gets the item's wish for this lease, or null; left out: the answer does not contain it
   */
  async commit(
    lease: Lease,
    position: Position,
    leaseUntil: number,
    found?: (wish: Wish | null) => void,
  ): Promise<void> {
    const toUs = found && ((wish: Wish | null) => found(forLease(wish, lease)))
    await this.#writeAs(lease, transitions.commit(lease, position, leaseUntil), toUs)
  }

  /** Asks the holder that was read to hand its lease over. Does nothing if it holds the lease no longer. */
  async wish(read: Checkpoint, owner: string, at: number): Promise<void> {
    await this.#table.write(transitions.wish(read, { owner, epoch: read.epoch, at }))
  }

  /** The last wish of another run for this lease; null if there is none. */
  async wishFor(lease: Lease): Promise<Wish | null> {
    return forLease(await this.#table.readWish(), lease)
  }

  /**
   * Stops the stream until a person runs recovery.
   * @param leaseUntil null releases the lease; otherwise it ends at this time
   */
  async halt(lease: Lease, halt: Halt, leaseUntil: number | null): Promise<void> {
    await this.#writeAs(lease, transitions.halt(lease, halt, leaseUntil))
  }

  async release(lease: Lease): Promise<void> {
    await this.#writeAs(lease, transitions.release(lease))
  }

  /**
   * Moves the checkpoint to another position, starts a new generation, appends to the ledger, resumes the stream and releases
   * the lease.
   * @param read the checkpoint at the time when `lease` was taken
   * @throws DtsError LEASE_HELD if the stream was paused or resumed since
   */
  async reset(lease: Lease, read: Checkpoint, start: Start): Promise<void> {
    const { generation, ...write } = transitions.reset(lease, read, start)
    await this.#write(write, (found) => {
      if (found?.epoch !== lease.epoch || found.owner !== lease.owner) throw leaseLost(lease)
      if (found.generation !== generation) throw leaseHeld(found.leaseUntil)
    })
  }

  /**
   * Stops the stream for a person. This needs no lease: a run that holds it ends in its own time.
   * @throws DtsError STREAM_HALTED if the stream does not run
   */
  async pause(read: Checkpoint, pause: Pause): Promise<void> {
    await this.#write(transitions.pause(read, pause), (found) => {
      if (found?.state === 'PAUSED' && found.pause.at === pause.at) return
      const code = found === null ? null : haltOf(found)?.code
      throw new DtsError(
        'STREAM_HALTED',
        `The stream is halted already (${code ?? 'a recovery moved it meanwhile'}).`,
        { retryable: false },
      )
    })
  }

  /**
   * Lets a stopped stream continue, and forgets its failures.
   * @throws DtsError LEASE_HELD if the checkpoint was written since it was read
   */
  async resume(read: Checkpoint, note: LedgerNote): Promise<void> {
    await this.#write(transitions.resume(read, note), (found) => {
      if (found?.state === 'RUNNING' && found.ledger.at(-1)?.at === note.at) return
      throw leaseHeld(found?.leaseUntil ?? null)
    })
  }

  async #writeAs(lease: Lease, write: transitions.Write, found?: (wish: Wish | null) => void): Promise<void> {
    if ((await this.#table.write(write, found)) !== 'applied') throw leaseLost(lease)
  }

  /** @param onRefusal gets the item that refused the write; returns if the item already is what the write would make of it */
  async #write(write: transitions.Write, onRefusal: (found: Checkpoint | null) => void): Promise<void> {
    const result = await this.#table.write(write)
    if (result !== 'applied') onRefusal(await result.item())
  }
}

function forLease(wish: Wish | null, { epoch }: Lease): Wish | null {
  return wish?.epoch === epoch ? wish : null
}
