import type { DynamoDBClient, UpdateItemCommandInput } from '@aws-sdk/client-dynamodb'
import { ConditionalCheckFailedException, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { type Item, ItemTable } from '../support/item-table.ts'
import { request, type Stage, strikes, survives } from './hazards.ts'
import { never } from './machine.ts'
import { type ObservedRun, toCheckpoint } from './observed.ts'

/** DynamoDB with its faults: lost replies, late writes, minutes of throttling, a restored item. */
export class CheckpointTable {
  readonly table: ItemTable
  readonly #stage: Stage
  /** The machines whose requests are throttled. */
  throttled: ReadonlySet<string> | 'all' | null = null
  /** The number of writes that will still arrive although their sender has timed out. */
  underway = 0
  /** Earlier states of the item, for a restore from a backup. */
  readonly #backups: Item[] = []

  constructor(stage: Stage) {
    this.#stage = stage
    this.table = new ItemTable((before, after, input) => {
      if (this.#backups.length < 50) this.#backups.push(after)
      stage.writes.written(before, after, input)
    })
  }

  client(run: ObservedRun): DynamoDBClient {
    const send = (command: unknown): Promise<unknown> => {
      if (command instanceof GetItemCommand) return this.#get(run)
      if (command instanceof UpdateItemCommand) return this.#update(run, command.input)
      throw new TypeError('The checkpoint store sends a command that the simulation does not know')
    }
    return { send } as unknown as DynamoDBClient
  }

  /** A client without faults, for an operator. */
  operatorClient(): DynamoDBClient {
    const send = async (command: unknown): Promise<unknown> => {
      if (command instanceof GetItemCommand) return { Item: this.table.item }
      if (command instanceof UpdateItemCommand) return this.table.update(command.input)
      throw new TypeError('unknown command')
    }
    return { send } as unknown as DynamoDBClient
  }

  /** Fault 10: deletes the item, or restores an earlier state of it. */
  damage(): void {
    const { random, facts, writes } = this.#stage
    if (this.table.item === undefined) return
    facts.fault(10)
    const restored = random.chance(0.5) ? this.#backups[random.whole(0, this.#backups.length - 1)] : undefined
    this.table.replace(restored)
    writes.replaced(restored)
  }

  #isThrottled(run: ObservedRun): boolean {
    return this.throttled === 'all' || this.throttled?.has(run.machine.name) === true
  }

  async #throttle(run: ObservedRun): Promise<never> {
    this.#stage.facts.fault(9)
    run.disturbed = true
    // One `send` includes the SDK's own retries and pauses.
    return await request(this.#stage, run, this.#stage.random.whole(300, 2_000), () => {
      throw Object.assign(new Error('Rate exceeded'), { name: 'ProvisionedThroughputExceededException' })
    })
  }

  async #get(run: ObservedRun): Promise<unknown> {
    if (this.#isThrottled(run)) return await this.#throttle(run)
    return await request(this.#stage, run, this.#stage.random.whole(1, 8), () => {
      const Item = this.table.item
      // A poller that waits for the lease decides by its last read before it takes the lease.
      if (run.kind === 'poll' && run.epoch === null) run.read = null
      run.read ??= Item === undefined ? null : toCheckpoint(Item)
      return { Item }
    })
  }

  async #update(run: ObservedRun, input: UpdateItemCommandInput): Promise<unknown> {
    const { rates } = this.#stage.scenario
    this.#stage.writes.sending(run, input)
    // A pause right before a move of the checkpoint is the most dangerous one.
    if (input.ExpressionAttributeValues?.[':set_generation'] !== undefined) this.#stage.mayPause(0.5)
    if (this.#isThrottled(run)) return await this.#throttle(run)
    if (strikes(this.#stage, run, rates.writeReplyLost)) return await this.#replyLost(run, input)
    if (strikes(this.#stage, run, rates.writeDelayed)) return await this.#delayed(run, input)
    return await request(this.#stage, run, this.#stage.random.whole(1, 8), () => this.#apply(input))
  }

  #apply(input: UpdateItemCommandInput): object {
    return this.table.update(input)
  }

  async #replyLost(run: ObservedRun, input: UpdateItemCommandInput): Promise<unknown> {
    const { random, facts } = this.#stage
    facts.fault(3)
    run.disturbed = true
    const retries = random.chance(0.6)
    return await request(this.#stage, run, random.whole(100, 1_500), () => {
      this.#apply(input)
      // The SDK sends it again, unless no retry is left.
      if (retries) return this.#apply(input)
      throw timeout()
    })
  }

  /** The client times out, but the write arrives later, perhaps after minutes. */
  async #delayed(run: ObservedRun, input: UpdateItemCommandInput): Promise<unknown> {
    const { random, clock, facts } = this.#stage
    run.disturbed = true
    if (!survives(this.#stage, run)) return await never()
    this.underway += 1
    if (isWish(input)) facts.happened('hand-over: a wish was delayed')
    clock.after(random.pick([1_000, 5_000, random.whole(10, 120) * 1_000]), () => {
      this.underway -= 1
      const newer = this.table.item?.owner?.S !== run.owner
      try {
        this.table.update(input)
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error
        if (newer) facts.fault(4)
        if (isWish(input)) facts.happened('hand-over: a late wish was refused')
      }
    })
    return await run.machine.request(random.whole(200, 1_500), 1, () => {
      throw timeout()
    })
  }
}

function isWish({ ExpressionAttributeValues }: UpdateItemCommandInput): boolean {
  return ExpressionAttributeValues?.[':set_wish'] !== undefined
}

function timeout(): Error {
  return Object.assign(new Error('Connection timed out'), { name: 'TimeoutError' })
}
