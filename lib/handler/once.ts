import { setTimeout } from 'node:timers/promises'
import {
  type DynamoDBClient,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb'
import type { RowChange } from '../dts/change.ts'
import { DtsError } from '../errors.ts'
import { attributesOf } from './fence-attributes.ts'

/**
 * For handlers whose writes add to what is there, such as counters. `once` puts the writes and a mark of the change into one
 * transaction of DynamoDB. If the mark exists, the change was applied before, and nothing is written. So a change takes
 * effect exactly once, however often it is delivered: after a crash, a redrive, a replay, or a reset on another cluster.
 *
 * Call it once for each change, with all of its writes: the second call for a change is `seen`, and its writes do not happen.
 *
 * A mark must live longer than a change can come again: longer than DTS keeps changes, and than the dead-letter queue keeps
 * letters.
 */

/** `seen`: the change was applied before. Both results count as done. */
export type OnceResult = 'applied' | 'seen'

/** The table of the marks. Its primary key is one attribute, a string. DynamoDB's TTL on `dtsExpires` removes old marks. */
export interface OnceMarks {
  readonly table: string
  /** The name of its key; `id` if left out. */
  readonly key?: string
  /** How long a mark stays, in seconds; 30 days if left out. */
  readonly keepSeconds?: number
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/** DynamoDB accepts 100 writes in a transaction, and the mark is one of them. */
const mostWrites = 99
const defaultKeepSeconds = 30 * 86_400
/** What DynamoDB answers if another transaction holds an item, or the table is busy. The same transaction can succeed later. */
const passing: ReadonlySet<string> = new Set([
  'TransactionConflict',
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
])
const mostTries = 8
const firstWaitMs = 20

/**
 * Applies `writes` unless the change was applied before.
 * @param writes as TransactWriteItems takes them, at most 99; none of them may write the same item as another
 * @throws DtsError ONCE_INVALID, before anything is written, if the change cannot be told from others or there are too many
 *   writes; other errors of DynamoDB as they are. After a cancelled transaction, such as one with a failed condition, nothing
 *   is written. After a time-out the writes may have happened: the next delivery is then `seen`.
 */
export async function once(
  client: DynamoDBClient,
  change: Pick<RowChange, 'idempotencyKey' | 'keys' | 'table'>,
  writes: readonly TransactWriteItem[],
  marks: OnceMarks,
): Promise<OnceResult> {
  checkChange(change)
  if (writes.length > mostWrites) throw tooMany(writes.length)
  const command = new TransactWriteItemsCommand({ TransactItems: [markOf(change, marks), ...writes] })
  for (let tries = 1; ; tries++) {
    try {
      await client.send(command)
      return 'applied'
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error
      const codes = (error.CancellationReasons ?? []).map(({ Code }) => Code ?? 'None')
      if (codes[0] === 'ConditionalCheckFailed') return 'seen'
      const isPassing = codes.some((code) => passing.has(code)) && !codes.includes('ConditionalCheckFailed')
      if (!isPassing || tries === mostTries) throw error
    }
    // Lanes that add to one counter meet again and again if they wait equally long.
    await setTimeout(Math.random() * firstWaitMs * 2 ** tries)
  }
}

function markOf(change: Pick<RowChange, 'idempotencyKey'>, marks: OnceMarks): TransactWriteItem {
  const { table, key = 'id', keepSeconds = defaultKeepSeconds, now = Date.now } = marks
  return {
    Put: {
      TableName: table,
      Item: attributesOf({
        [key]: change.idempotencyKey,
        dtsExpires: Math.ceil(now() / 1000 + keepSeconds),
      }),
      ConditionExpression: 'attribute_not_exists(#key)',
      ExpressionAttributeNames: { '#key': key },
    },
  }
}

function checkChange({
  idempotencyKey,
  keys,
  table,
}: Pick<RowChange, 'idempotencyKey' | 'keys' | 'table'>): void {
  if (typeof idempotencyKey !== 'string' || idempotencyKey === '' || !Array.isArray(keys)) {
    throw invalid(
      'once needs the `change` that the handler got, with its idempotencyKey and its keys. Nothing was written. Correct the ' +
        'handler, then deploy it.',
    )
  }
  if (keys.length > 0) return
  throw invalid(
    `${table} has no primary key, so once cannot tell two equal rows of one statement apart: the second would not count. ` +
      'Nothing was written. Give the table a primary key, or write the state of a row with the fence.',
  )
}

function tooMany(count: number): DtsError {
  return invalid(
    `once got ${count} writes, and a transaction of DynamoDB carries ${mostWrites} beside the mark. Nothing was written. Write ` +
      'fewer items for one change, then deploy the handler.',
  )
}

function invalid(message: string): DtsError {
  return new DtsError('ONCE_INVALID', message, { retryable: false })
}
