import {
  type AttributeValue,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import type { ChangeOrigin } from './dts/change.ts'

/**
 * For handlers that keep their result in DynamoDB: a change takes effect once for each item, and an older change
 * never over a newer one, however often and beside whom it is delivered. Each item carries the position of the change
 * that wrote it last; one conditional write applies a change and its position together, or neither.
 *
 * - An item belongs to one stream (topic and partition): positions of two streams cannot be compared.
 * - An UPDATE that changes the key is two effects: `fencedDelete` of the old key, then `fencedUpdate` of the new one.
 * - A `replay` sends changes in the generation that there is, so that items which have seen them stay as they are: each is
 *   `seen`. It brings back what an item never saw, and what was deleted with its tombstone. To write items anew, `reset`.
 * - After a reset of the checkpoint changes come again in a new generation, which counts as newer: items go back to an
 *   older state for a moment and arrive at the same end. So write what a row is, never what to add to it.
 */

/** A cell as it is stored. Undefined: the column was not in the change, and the item keeps what it has. */
export type Cell = string | number | bigint | boolean | null | Uint8Array | undefined

/** `seen`: the item already holds this change or a newer one. Both count as done. */
export type FenceResult = 'applied' | 'seen'

interface FencedWrite {
  readonly table: string
  /** The item's primary key. */
  readonly key: Readonly<Record<string, string | number | bigint | Uint8Array>>
  readonly change: Pick<ChangeOrigin, 'generation' | 'offset'>
}

export interface FencedUpdate extends FencedWrite {
  /** Attributes by name. */
  readonly set: Readonly<Record<string, Cell>>
}

export interface FencedDelete extends FencedWrite {
  /** How long the tombstone stays, in seconds: longer than a replay may reach back. */
  readonly keepSeconds?: number
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/** What the fence adds to an item. */
const fenceAttributes = {
  generation: 'dtsGeneration',
  offset: 'dtsOffset',
  /** On tombstones alone. */
  deleted: 'dtsDeleted',
  /** On tombstones alone; the attribute for the table's TTL. */
  expires: 'dtsExpires',
} as const

/** Longer than DTS keeps changes, which is some days: afterwards nothing can bring the row back. */
const defaultKeepSeconds = 14 * 86_400

/**
 * Writes `set` and the change's position to an item unless the item has seen the change. Other attributes stay.
 * @throws RangeError when a cell is a number that is not finite; whatever DynamoDB answers
 */
export async function fencedUpdate(client: DynamoDBClient, write: FencedUpdate): Promise<FenceResult> {
  const { table, key, change } = write
  const fence = fenceOf(change)
  const cells = Object.entries(write.set).filter(([, cell]) => cell !== undefined)
  const names: Record<string, string> = {
    ...fence.names,
    '#deleted': fenceAttributes.deleted,
    '#expires': fenceAttributes.expires,
  }
  const values: Record<string, AttributeValue> = { ...fence.values }
  const assignments = ['#generation = :generation', '#offset = :offset']
  for (const [index, [name, cell]] of cells.entries()) {
    names[`#c${index}`] = name
    values[`:c${index}`] = attribute(cell)
    assignments.push(`#c${index} = :c${index}`)
  }
  return once(() =>
    client.send(
      new UpdateItemCommand({
        TableName: table,
        Key: attributes(key),
        UpdateExpression: `SET ${assignments.join(', ')} REMOVE #deleted, #expires`,
        ConditionExpression: fence.isOlder,
        ExpressionAttributeNames: names,
        ExpressionAttributeValues: values,
      }),
    ),
  )
}

/**
 * Takes a row away unless its item has seen the change. The item stays as a tombstone, its key and the change's
 * position alone, because a delivery of the row's INSERT that comes again would otherwise bring it back. Readers leave
 * out items that have `dtsDeleted`; DynamoDB's TTL on `dtsExpires` (UNIX seconds) clears them away.
 */
export async function fencedDelete(client: DynamoDBClient, write: FencedDelete): Promise<FenceResult> {
  const { table, key, change, keepSeconds = defaultKeepSeconds, now = Date.now } = write
  const fence = fenceOf(change)
  return once(() =>
    client.send(
      new PutItemCommand({
        TableName: table,
        Item: {
          ...attributes(key),
          [fenceAttributes.generation]: attribute(change.generation),
          [fenceAttributes.offset]: attribute(change.offset),
          [fenceAttributes.deleted]: attribute(true),
          [fenceAttributes.expires]: attribute(Math.ceil(now() / 1000) + keepSeconds),
        },
        ConditionExpression: fence.isOlder,
        ExpressionAttributeNames: fence.names,
        ExpressionAttributeValues: fence.values,
      }),
    ),
  )
}

/** DynamoDB's numbers have 38 digits: an offset is compared exactly. */
function fenceOf({ generation, offset }: FencedWrite['change']) {
  const wasNeverWritten = 'attribute_not_exists(#generation)'
  const isOfOlderGeneration = '#generation < :generation'
  const isOfOlderOffset = '(#generation = :generation AND #offset < :offset)'
  return {
    isOlder: [wasNeverWritten, isOfOlderGeneration, isOfOlderOffset].join(' OR '),
    names: { '#generation': fenceAttributes.generation, '#offset': fenceAttributes.offset },
    values: { ':generation': attribute(generation), ':offset': attribute(offset) },
  }
}

/** A write whose answer was lost and that the SDK repeats finds its own position, which is `seen`, and done. */
async function once(send: () => Promise<unknown>): Promise<FenceResult> {
  try {
    await send()
    return 'applied'
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return 'seen'
    throw error
  }
}

function attributes(cells: Readonly<Record<string, Cell>>): Record<string, AttributeValue> {
  return Object.fromEntries(Object.entries(cells).map(([name, cell]) => [name, attribute(cell)]))
}

function attribute(cell: Cell): AttributeValue {
  if (cell === null || cell === undefined) return { NULL: true }
  if (typeof cell === 'string') return { S: cell }
  if (typeof cell === 'boolean') return { BOOL: cell }
  if (typeof cell === 'object') return { B: cell }
  if (typeof cell === 'number' && !Number.isFinite(cell)) {
    throw new RangeError(`DynamoDB has no number ${cell}; store it as a string.`)
  }
  return { N: String(cell) }
}
