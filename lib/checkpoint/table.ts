import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  type GetItemCommandInput,
  ResourceNotFoundException,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { DtsError } from '../errors.ts'
import { serviceAdvice } from '../text/service-fault.ts'
import { reasonOf } from '../text/thrown.ts'
import { type Attributes, encodeText, fromItem } from './item.ts'
import type { Write } from './transitions.ts'
import type { Checkpoint, Wish } from './types.ts'
import { decodeWish } from './wish.ts'

/** A condition of the write did not hold. */
export interface Refused {
  /** The item that refused the write; null if there is none. */
  readonly item: () => Promise<Checkpoint | null>
}

/** The requests to DynamoDB for one item. Each method throws CHECKPOINT_TABLE_UNAVAILABLE if DynamoDB cannot be used. */
export class CheckpointTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly #key: string

  constructor(client: DynamoDBClient, table: string, key: string) {
    this.#client = client
    this.#table = table
    this.#key = key
  }

  /** A consistent read. */
  async read(): Promise<Checkpoint | null> {
    return this.#parse(await this.attributes())
  }

  /** The item's wish, by a consistent read of nothing else. */
  async readWish(): Promise<Wish | null> {
    const item = await this.attributes({
      ProjectionExpression: '#wish',
      ExpressionAttributeNames: { '#wish': 'wish' },
    })
    return decodeWish(item?.wish)
  }

  /** The item's attributes, by a consistent read; undefined if there is no item. @param part leaves out others */
  async attributes(
    part: Partial<Pick<GetItemCommandInput, 'ProjectionExpression' | 'ExpressionAttributeNames'>> = {},
  ): Promise<Attributes | undefined> {
    const Key = { pk: encodeText(this.#key) }
    const command = new GetItemCommand({ TableName: this.#table, Key, ConsistentRead: true, ...part })
    return (await this.#reach(() => this.#client.send(command))).Item
  }

  /**
   * Applies a write if its conditions hold.
   * @param found gets the wish of the item that was written; left out: the answer does not contain the item
   */
  async write(
    { attributes, conditions }: Write,
    found?: (wish: Wish | null) => void,
  ): Promise<'applied' | Refused> {
    const ConditionExpression = Object.values(conditions.expressions).join(' AND ')
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
        ...conditions.values,
      },
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      ...(found === undefined ? {} : { ReturnValues: 'ALL_NEW' }),
    })
    try {
      const { Attributes: written } = await this.#reach(() => this.#client.send(command))
      found?.(decodeWish(written?.wish))
      return 'applied'
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error
      const { Item } = error
      // Some implementations of DynamoDB do not return the item.
      return { item: async () => (Item === undefined ? await this.read() : this.#parse(Item)) }
    }
  }

  #parse(item: Attributes | undefined): Checkpoint | null {
    return item === undefined ? null : fromItem(this.#key, item)
  }

  async #reach<Result>(send: () => Promise<Result>): Promise<Result> {
    try {
      return await send()
    } catch (cause) {
      if (cause instanceof ConditionalCheckFailedException) throw cause
      const missing = cause instanceof ResourceNotFoundException
      throw new DtsError(
        'CHECKPOINT_TABLE_UNAVAILABLE',
        missing
          ? `The DynamoDB table ${this.#table} does not exist. Deploy the stack, or correct CHECKPOINT_TABLE.`
          : `The DynamoDB table ${this.#table} cannot be used (${reasonOf(cause)}). ` +
              `${serviceAdvice('DynamoDB', cause, 'Check the role of this function and the state of DynamoDB.')} ` +
              'The next run tries again.',
        { retryable: !missing, facts: { table: this.#table }, cause },
      )
    }
  }
}

function mentioned(expression: string): string[] {
  return [...expression.matchAll(/#(\w+)/g)].flatMap(([, name]) => name ?? [])
}
