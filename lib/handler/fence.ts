import { isDeepStrictEqual } from 'node:util'
import {
  type AttributeValue,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import type { ChangeOrigin } from '../dts/change.ts'
import { DtsError } from '../errors.ts'
import {
  attributeOf,
  attributesOf,
  type Cell,
  type KeyCell,
  keyAttributesOf,
  refused,
} from './fence-attributes.ts'

export type { Cell } from './fence-attributes.ts'

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

/** `seen`: the item already holds this change or a newer one. Both count as done. */
export type FenceResult = 'applied' | 'seen'

interface FencedWrite {
  readonly table: string
  /** The item's primary key. */
  readonly key: Readonly<Record<string, KeyCell>>
  readonly change: Pick<ChangeOrigin, 'generation' | 'offset'>
}

export interface FencedUpdate extends FencedWrite {
  /** Attributes by name. Those of the key may be among them, with the key's own values: `set: change.after` is fine. */
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
 * @throws DtsError FENCE_INVALID, before anything is written, when a cell cannot be stored or contradicts the key;
 *   whatever DynamoDB answers
 */
export async function fencedUpdate(client: DynamoDBClient, write: FencedUpdate): Promise<FenceResult> {
  const { table, change } = write
  const fence = fenceOf(change)
  const key = keyAttributesOf(write.key)
  const set = attributesToSet(write.set, key)
  const names: Record<string, string> = {
    ...fence.names,
    '#deleted': fenceAttributes.deleted,
    '#expires': fenceAttributes.expires,
  }
  const values: Record<string, AttributeValue> = { ...fence.values }
  const assignments = ['#generation = :generation', '#offset = :offset']
  for (const [index, [name, attribute]] of set.entries()) {
    names[`#c${index}`] = name
    values[`:c${index}`] = attribute
    assignments.push(`#c${index} = :c${index}`)
  }
  return once(() =>
    client.send(
      new UpdateItemCommand({
        TableName: table,
        Key: key,
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
          ...keyAttributesOf(key),
          ...attributesOf({
            [fenceAttributes.generation]: change.generation,
            [fenceAttributes.offset]: change.offset,
            [fenceAttributes.deleted]: true,
            [fenceAttributes.expires]: Math.ceil(now() / 1000 + keepSeconds),
          }),
        },
        ConditionExpression: fence.isOlder,
        ExpressionAttributeNames: fence.names,
        ExpressionAttributeValues: fence.values,
      }),
    ),
  )
}

/** The attributes to set beside the key, which no update may name. */
function attributesToSet(
  set: FencedUpdate['set'],
  key: Readonly<Record<string, AttributeValue>>,
): [name: string, attribute: AttributeValue][] {
  const reserved: ReadonlySet<string> = new Set(Object.values(fenceAttributes))
  const cells = Object.entries(set).filter(([, cell]) => cell !== undefined)
  const attributes = cells.map(([name, cell]): [string, AttributeValue] => {
    if (reserved.has(name))
      throw refused(name, 'is one that the fence keeps for itself', 'Give it another name.')
    return [name, attributeOf(name, cell)]
  })
  return attributes.filter(([name, attribute]) => {
    const own = Object.hasOwn(key, name) ? key[name] : undefined
    if (own === undefined) return true
    if (isSame(own, attribute)) return false
    throw refused(
      name,
      'has another value in `set` than in `key`',
      'An UPDATE that changes the key is a fencedDelete of the old key, then a fencedUpdate of the new one.',
    )
  })
}

function isSame(one: AttributeValue, other: AttributeValue): boolean {
  if (one.B !== undefined && other.B !== undefined) return Buffer.compare(one.B, other.B) === 0
  return isDeepStrictEqual(one, other)
}

/** DynamoDB's numbers have 38 digits: an offset is compared exactly. */
function fenceOf({ generation, offset }: FencedWrite['change']) {
  // A text would be compared as a text, and the fence let older changes through.
  if (!Number.isSafeInteger(generation) || typeof offset !== 'bigint') {
    throw new DtsError(
      'FENCE_INVALID',
      'The fence needs `change` as the handler got it, with its generation (a number) and its offset (a bigint). ' +
        'Nothing was written. Correct the handler and deploy.',
      { retryable: false },
    )
  }
  const wasNeverWritten = 'attribute_not_exists(#generation)'
  const isOfOlderGeneration = '#generation < :generation'
  const isOfOlderOffset = '(#generation = :generation AND #offset < :offset)'
  return {
    isOlder: [wasNeverWritten, isOfOlderGeneration, isOfOlderOffset].join(' OR '),
    names: { '#generation': fenceAttributes.generation, '#offset': fenceAttributes.offset },
    values: attributesOf({ ':generation': generation, ':offset': offset }),
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
