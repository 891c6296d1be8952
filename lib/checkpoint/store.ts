import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  ResourceNotFoundException,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { DtsError } from '../errors.ts'
import { reasonOf } from '../text/thrown.ts'
import {
  type Attributes,
  encodeJson,
  encodeNumber,
  encodeText,
  fromItem,
  positionAttributes,
  schemaVersion,
} from './item.ts'
import {
  type Checkpoint,
  type Halt,
  type Lease,
  type LedgerEntry,
  type Position,
  withoutTrouble,
} from './types.ts'

/** A lease is taken over only this long after it ran out, in milliseconds: the clocks of two machines differ. */
export const clockSkewMs = 5_000

/**
 * No run holds a lease for so long, in milliseconds: Lambda's longest timeout of a handler is 900 s, the margins of a lease
 * are 30 s, and the rest is for clocks that differ. A lease that ends later comes from a clock that was wrong.
 */
const longestLeaseMs = 20 * 60_000

/** Whether a lease ends later than any run can hold it. @param now milliseconds since 1970 */
export function isLeaseTooLong({ leaseUntil }: Pick<Checkpoint, 'leaseUntil'>, now: number): boolean {
  return leaseUntil > now + longestLeaseMs
}

const ledgerLength = 20

/** Where a stream begins, or is moved to. */
export interface Start {
  readonly clusterId: string
  readonly position: Position
  readonly replayUntil: number
  readonly entry: Omit<LedgerEntry, 'from' | 'to'>
  /** A generation that was used before as far as something else than the item knows; 0 or left out: none. */
  readonly usedGeneration?: number
}

/**
 * The generation of a move: never one that was used before, also when the item was deleted or restored from a backup in
 * between. The fence of handlers compares generation and offset, and takes whatever is of an older generation for done.
 * @param stored of the item that is moved; 0 where there is none
 * @param at milliseconds since 1970
 * @param used as `Start.usedGeneration`
 */
export function generationAfter(stored: number, at: number, used = 0): number {
  return Math.max(stored + 1, used + 1, Math.floor(at / 1000))
}

/**
 * The checkpoint of one topic and partition: one DynamoDB item, changed only by conditional UpdateItem.
 * Every write names the holder's epoch and owner, so that a late write of an older holder is refused.
 * Every method throws CHECKPOINT_TABLE_UNAVAILABLE when DynamoDB cannot be used; writes under a lease throw
 * LEASE_LOST when it is no longer ours.
 */
export class CheckpointStore {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly #key: string
  readonly #clockSkewMs: number

  /** @param skewMs how far the clocks of two holders may be apart */
  constructor(
    client: DynamoDBClient,
    table: string,
    topic: string,
    partition: number,
    skewMs: number = clockSkewMs,
  ) {
    this.#client = client
    this.#table = table
    this.#key = `${topic}/${partition}`
    this.#clockSkewMs = skewMs
  }

  /** A consistent read. */
  async read(): Promise<Checkpoint | null> {
    const { Item } = await this.#reach(() =>
      this.#client.send(
        new GetItemCommand({
          TableName: this.#table,
          Key: { pk: encodeText(this.#key) },
          ConsistentRead: true,
        }),
      ),
    )
    return Item === undefined ? null : fromItem(this.#key, Item)
  }

  /** Writes the first checkpoint and takes its lease. @throws DtsError LEASE_HELD when another run was first */
  async create(start: Start, owner: string, leaseUntil: number): Promise<Lease> {
    const lease = { owner, epoch: 1, generation: generationAfter(0, start.entry.at, start.usedGeneration) }
    const to = place(start.clusterId, start.position.offset, lease.generation)
    const entry = { ...start.entry, from: null, to }
    await this.#update(
      { nobodyWroteIt: 'attribute_not_exists(#pk)' },
      {
        ...positionAttributes(start.position),
        schemaVersion: encodeNumber(schemaVersion),
        epoch: encodeNumber(lease.epoch),
        owner: encodeText(owner),
        leaseUntil: encodeNumber(leaseUntil),
        generation: encodeNumber(lease.generation),
        clusterId: encodeText(start.clusterId),
        replayUntil: encodeNumber(start.replayUntil),
        state: encodeText('RUNNING'),
        halt: encodeJson(null),
        ledger: encodeJson([entry]),
      },
      {},
      async () => {
        // A retry of a write whose reply was lost finds the item that the first try made.
        const found = await this.read()
        if (found?.owner === owner) return
        throw leaseHeld(found?.leaseUntil ?? 0)
      },
    )
    return lease
  }

  /**
   * Takes the lease of the checkpoint as it was read.
   * @param states in which states the taker may work: the poller only in RUNNING, recovery in both
   * @throws DtsError LEASE_HELD, LEASE_TOO_LONG
   */
  async acquire(
    read: Checkpoint,
    owner: string,
    now: number,
    leaseUntil: number,
    states: readonly Checkpoint['state'][],
  ): Promise<Lease> {
    const lease = { owner, epoch: read.epoch + 1, generation: read.generation }
    const stateNames = Object.fromEntries(states.map((state, index) => [`:state${index}`, encodeText(state)]))
    await this.#update(
      {
        nobodyTookItSinceTheRead: '#epoch = :readEpoch',
        // A holder past its time may have committed and given back since: then the offset that was read is old.
        nobodyWroteSinceTheRead: '#leaseUntil = :readLeaseUntil',
        leaseRanOut: '#leaseUntil < :expiry',
        mayRun: `#state IN (${Object.keys(stateNames).join(', ')})`,
      },
      { epoch: encodeNumber(lease.epoch), owner: encodeText(owner), leaseUntil: encodeNumber(leaseUntil) },
      {
        ':readEpoch': encodeNumber(read.epoch),
        ':readLeaseUntil': encodeNumber(read.leaseUntil),
        ':expiry': encodeNumber(now - this.#clockSkewMs),
        ...stateNames,
      },
      async () => {
        const found = await this.read()
        if (found?.owner === owner) return
        throw isLeaseTooLong(found ?? read, now)
          ? leaseTooLong(found ?? read)
          : leaseHeld((found ?? read).leaseUntil)
      },
    )
    return lease
  }

  /**
   * Takes the lease away from its holder, whose writes are refused from then on, and lets it end at `leaseUntil`. For a
   * lease that ends later than any run can hold it.
   * @throws DtsError LEASE_HELD when the item was written since it was read
   */
  async breakLease(
    read: Checkpoint,
    owner: string,
    leaseUntil: number,
    entry: Start['entry'],
  ): Promise<void> {
    await this.#update(
      {
        isTheSameHolder: '#epoch = :readEpoch',
        isTheSameLease: '#leaseUntil = :readLeaseUntil',
        // A resume writes the ledger without a lease, and its entry must stay.
        isTheSameState: '#state = :readState',
      },
      {
        epoch: encodeNumber(read.epoch + 1),
        owner: encodeText(owner),
        leaseUntil: encodeNumber(leaseUntil),
        ledger: encodeJson(withEntry(read, entry)),
      },
      {
        ':readEpoch': encodeNumber(read.epoch),
        ':readLeaseUntil': encodeNumber(read.leaseUntil),
        ':readState': encodeText(read.state),
      },
      async () => {
        const found = await this.read()
        if (found?.owner === owner) return
        throw leaseHeld(found?.leaseUntil ?? 0)
      },
    )
  }

  /** Moves the position forward and renews the lease, in one write; repeating it changes nothing. */
  async commit(lease: Lease, position: Position, leaseUntil: number): Promise<void> {
    await this.#update(
      {
        ...held,
        offsetDoesNotGoBack: '#offset <= :newOffset',
        // An earlier commit that arrives late would end the lease before its holder expects it to.
        leaseDoesNotGetShorter: '#leaseUntil <= :set_leaseUntil',
        // The same after the lease was given back: it would undo the last word of its holder.
        leaseIsNotGivenBack: '#leaseUntil > :givenBack',
      },
      { ...positionAttributes(position), leaseUntil: encodeNumber(leaseUntil) },
      { ...holder(lease), ':newOffset': encodeNumber(position.offset), ':givenBack': encodeNumber(0) },
    )
  }

  /** Stops the stream until somebody runs recovery, and gives the lease back, or leaves it to run out. */
  async halt(lease: Lease, halt: Halt, leaseUntil: number): Promise<void> {
    await this.#update(
      held,
      { state: encodeText('HALTED'), halt: encodeJson(halt), leaseUntil: encodeNumber(leaseUntil) },
      holder(lease),
    )
  }

  async release(lease: Lease): Promise<void> {
    await this.#update(held, { leaseUntil: encodeNumber(0) }, holder(lease))
  }

  /**
   * Moves the checkpoint to another position, starts a new generation, appends to the ledger, resumes the stream
   * and gives the lease back: one write, so that no half of it is ever seen.
   * @param read the checkpoint as it was when `lease` was taken
   * @throws DtsError LEASE_HELD when the stream was paused since
   */
  async reset(lease: Lease, read: Checkpoint, start: Start): Promise<void> {
    const generation = generationAfter(read.generation, start.entry.at, start.usedGeneration)
    const entry: LedgerEntry = {
      ...start.entry,
      from: place(read.clusterId, read.offset, read.generation),
      to: place(start.clusterId, start.position.offset, generation),
    }
    await this.#update(
      {
        ...held,
        // A pause needs no lease. One that falls in between must not be undone by the move.
        stateAsItWasRead: '#state = :readState',
      },
      {
        ...positionAttributes(start.position),
        generation: encodeNumber(generation),
        clusterId: encodeText(start.clusterId),
        replayUntil: encodeNumber(start.replayUntil),
        state: encodeText('RUNNING'),
        halt: encodeJson(null),
        ledger: encodeJson([...read.ledger, entry].slice(-ledgerLength)),
        leaseUntil: encodeNumber(0),
      },
      { ...holder(lease), ':readState': encodeText(read.state) },
      async () => {
        const found = await this.read()
        if (found?.epoch !== lease.epoch || found.owner !== lease.owner) throw leaseLost(lease)
        // The first try may have been applied with its reply lost: then the item already stands where it should.
        if (found.generation !== generation) throw leaseHeld(found.leaseUntil)
      },
    )
  }

  /**
   * Stops the stream for a person, without a lease: a run that holds it ends in its own time.
   * @throws DtsError STREAM_HALTED when it is stopped already
   */
  async pause(read: Checkpoint, halt: Halt): Promise<void> {
    await this.#update(
      {
        itExists: 'attribute_exists(#pk)',
        itRuns: '#state = :running',
        sameGeneration: '#generation = :generation',
      },
      { state: encodeText('HALTED'), halt: encodeJson(halt) },
      { ':running': encodeText('RUNNING'), ':generation': encodeNumber(read.generation) },
      async () => {
        const found = await this.read()
        if (found?.halt?.at === halt.at && found.halt.code === halt.code) return
        throw new DtsError(
          'STREAM_HALTED',
          `The stream is halted already (${found?.halt?.code ?? 'moved meanwhile'}).`,
          {
            retryable: false,
          },
        )
      },
    )
  }

  /**
   * Lets a stopped stream go on, with its failures forgotten.
   * @throws DtsError LEASE_HELD when the checkpoint moved since it was read
   */
  async resume(read: Checkpoint, entry: Start['entry']): Promise<void> {
    await this.#update(
      {
        nobodyTookItMeanwhile: '#epoch = :readEpoch',
        // A run that was at work at the pause may have committed since, and its lanes must not be set back.
        nobodyWroteMeanwhile: '#leaseUntil = :readLeaseUntil',
        itIsStopped: '#state = :halted',
      },
      {
        state: encodeText('RUNNING'),
        halt: encodeJson(null),
        lanes: encodeJson(withoutTrouble(read.lanes)),
        deadLetters: encodeJson({ since: 0, count: 0 }),
        ledger: encodeJson(withEntry(read, entry)),
      },
      {
        ':readEpoch': encodeNumber(read.epoch),
        ':readLeaseUntil': encodeNumber(read.leaseUntil),
        ':halted': encodeText('HALTED'),
      },
      async () => {
        const found = await this.read()
        if (found?.state === 'RUNNING' && found.ledger.at(-1)?.at === entry.at) return
        throw leaseHeld(found?.leaseUntil ?? 0)
      },
    )
  }

  /** `refused` is called when a condition failed; it returns when the write turns out to be in effect. */
  async #update(
    conditions: Readonly<Record<string, string>>,
    attributes: Attributes,
    conditionValues: Attributes,
    refused?: () => Promise<void>,
  ): Promise<void> {
    const ConditionExpression = Object.values(conditions).join(' AND ')
    const names = new Set([...Object.keys(attributes), ...mentioned(ConditionExpression)])
    const command = new UpdateItemCommand({
      TableName: this.#table,
      Key: { pk: encodeText(this.#key) },
      UpdateExpression: `SET ${Object.keys(attributes)
        .map((name) => `#${name} = :set_${name}`)
        .join(', ')}`,
      ConditionExpression,
      ExpressionAttributeNames: Object.fromEntries([...names].map((name) => [`#${name}`, name])),
      ExpressionAttributeValues: {
        ...Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`:set_${name}`, value])),
        ...conditionValues,
      },
    })
    try {
      await this.#reach(() => this.#client.send(command))
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error
      if (refused === undefined) {
        throw leaseLost({
          owner: conditionValues[':owner']?.S ?? '',
          epoch: Number(conditionValues[':epoch']?.N),
        })
      }
      await refused()
    }
  }

  async #reach<Result>(send: () => Promise<Result>): Promise<Result> {
    try {
      return await send()
    } catch (cause) {
      if (cause instanceof ConditionalCheckFailedException) throw cause
      const missing = cause instanceof ResourceNotFoundException
      const reason = reasonOf(cause)
      throw new DtsError(
        'CHECKPOINT_TABLE_UNAVAILABLE',
        missing
          ? `The DynamoDB table ${this.#table} does not exist. Deploy the stack, or correct CHECKPOINT_TABLE.`
          : `The DynamoDB table ${this.#table} cannot be used (${reason}). ` +
              'Check the role of this function and the state of DynamoDB; the next run tries again.',
        { retryable: !missing, facts: { table: this.#table }, cause },
      )
    }
  }
}

const held = {
  epochIsOurs: '#epoch = :epoch',
  ownerIsUs: '#owner = :owner',
  sameGeneration: '#generation = :generation',
}

function holder(lease: Lease): Attributes {
  return {
    ':epoch': encodeNumber(lease.epoch),
    ':owner': encodeText(lease.owner),
    ':generation': encodeNumber(lease.generation),
  }
}

function mentioned(expression: string): string[] {
  return [...expression.matchAll(/#(\w+)/g)].map(([, name]) => name ?? '')
}

/** The ledger with what was done without a move. */
function withEntry(read: Checkpoint, entry: Start['entry']): LedgerEntry[] {
  const here = place(read.clusterId, read.offset, read.generation)
  return [...read.ledger, { ...entry, from: here, to: here }].slice(-ledgerLength)
}

function place(clusterId: string, offset: bigint, generation: number): LedgerEntry['to'] {
  return { clusterId, offset: offset.toString(), generation }
}

export function leaseHeld(leaseUntil: number): DtsError {
  return new DtsError(
    'LEASE_HELD',
    leaseUntil > 0
      ? `Another run works on this stream until ${timeOf(leaseUntil + clockSkewMs)} at the latest. ` +
          'Nothing was changed. The poller tries again at its next run.'
      : 'Something else moved the checkpoint at the same moment. Nothing was changed. The poller tries again at its next run.',
    {
      retryable: true,
      facts: { leaseUntil },
      next:
        leaseUntil > 0
          ? [{ action: 'wait', until: timeOf(leaseUntil + clockSkewMs) }]
          : [{ action: 'inspect', purpose: 'see where the stream is now, before you repeat this' }],
    },
  )
}

/** Said of a lease for which `isLeaseTooLong` holds. */
export function leaseTooLong({ leaseUntil, owner, epoch }: Checkpoint): DtsError {
  return new DtsError(
    'LEASE_TOO_LONG',
    `The lease of ${owner} (epoch ${epoch}) ends at ${timeOf(leaseUntil)}, later than any run can hold it: a clock was wrong, ` +
      'or somebody wrote into the item. Nothing is delivered until then.',
    {
      retryable: false,
      facts: { leaseUntil, owner, epoch },
      next: [{ action: 'release', purpose: 'break the lease, once no run of the poller is at work' }],
    },
  )
}

/** A number that is no date, as a hand may have written it, is shown as it is. */
export function timeOf(milliseconds: number): string {
  const date = new Date(milliseconds)
  return Number.isNaN(date.getTime()) ? String(milliseconds) : date.toISOString()
}

function leaseLost(lease: Pick<Lease, 'owner' | 'epoch'>): DtsError {
  return new DtsError(
    'LEASE_LOST',
    `The lease of epoch ${lease.epoch} is no longer ours; nothing was written. The run that took over goes on.`,
    { retryable: false, facts: { epoch: lease.epoch, owner: lease.owner } },
  )
}
