import { type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'
import type { InsertChange } from '../../lib/dts/change.ts'
import { once } from '../../lib/handler/once.ts'
import { createKeyTable } from '../support/key-table.ts'
import { type Table, tables } from './tables.ts'

/** One change in so many is counted, because a transaction takes longer than the rest of its delivery. */
const oneIn = 40

/** Number of changes and sum of their ids, by table. */
type Sums = Readonly<Record<string, { readonly count: number; readonly sum: number }>>

/** Counters in DynamoDB, which handlers add to with `once`. */
export class Counters {
  readonly #client: DynamoDBClient
  /** Deliveries of changes that were counted before. */
  repeats = 0

  private constructor(client: DynamoDBClient) {
    this.#client = client
  }

  static async create(client: DynamoDBClient): Promise<Counters> {
    for (const table of ['marks', 'counters']) {
      await createKeyTable(client, table)
    }
    return new Counters(client)
  }

  async count(change: InsertChange<{ readonly id: bigint }>): Promise<void> {
    if (change.after.id % BigInt(oneIn) !== 0n) return
    const write = {
      Update: {
        TableName: 'counters',
        Key: { id: { S: change.table } },
        UpdateExpression: 'ADD #count :one, #sum :id',
        ExpressionAttributeNames: { '#count': 'count', '#sum': 'sum' },
        ExpressionAttributeValues: { ':one': { N: '1' }, ':id': { N: String(change.after.id) } },
      },
    }
    if ((await once(this.#client, change, [write], { table: 'marks' })) === 'seen') this.repeats += 1
  }

  async read(): Promise<Sums> {
    const { Items = [] } = await this.#client.send(
      new ScanCommand({ TableName: 'counters', ConsistentRead: true }),
    )
    const sums = Items.map(({ id, count, sum }) => [id?.S, { count: Number(count?.N), sum: Number(sum?.N) }])
    return Object.fromEntries(sums)
  }

  /** @param changes the changes of the source: ids from 0, by table */
  static expected(changes: Readonly<Record<Table, readonly unknown[]>>): Sums {
    const entries = tables.map((table) => {
      const counted = Array.from(changes[table].keys()).filter((id) => id % oneIn === 0)
      return [`shop.${table}`, { count: counted.length, sum: counted.reduce((sum, id) => sum + id, 0) }]
    })
    return Object.fromEntries(entries)
  }
}
