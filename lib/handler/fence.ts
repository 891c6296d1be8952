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
 * For handlers that keep their result in DynamoDB. A change takes effect once for each item, and an older change never
 * overwrites a newer one, even if changes are delivered repeatedly or concurrently. Each item has the position of the
 * change that wrote it last. One conditional write applies a change and its position together, or neither.
 *
 * - An item belongs to one stream (topic and partition): positions of two streams cannot be compared.
 * - An UPDATE that changes the key is two effects: `fencedDelete` of the old key, then `fencedUpdate` of the new one.
 * - `replay` sends changes in the current generation. Items that have seen a change keep their state: the change is `seen`.
 *   Changes that an item never saw take effect, and so do those of items whose tombstone has expired. To write all items
 *   again, use `reset`.
 * - After a reset of the checkpoint, changes come again in a new generation, which counts as newer. Items return to an
 *   older state for a moment, and then reach the same final state. So write the state of a row, never an increment.
 */

/** `seen`: the item already has this change or a newer one. Both results count as done. */
export type FenceResult = 'applied' | 'seen'

interface FencedWrite {
  readonly table: string
  /** The item's primary key. */
  readonly key: Readonly<Record<string, KeyCell>>
  readonly change: Pick<ChangeOrigin, 'generation' | 'offset'>
}

/** The state of an item after a change. */
export interface FencedUpdate extends FencedWrite {
  /** Attributes by name. They may include the key with its own values, so that `set: change.after` works. */
  readonly set: Readonly<Record<string, Cell>>
}

/** An item that a change deletes. A tombstone takes its place. */
export interface FencedDelete extends FencedWrite {
  /** How long the tombstone stays, in seconds. It must be longer than the time that a replay can go back. */
  readonly keepSeconds?: number
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/** The attributes that the fence adds to an item. */
const fenceAttributes = {
  generation: 'dtsGeneration',
  offset: 'dtsOffset',
  /** Only on tombstones. */
  deleted: 'dtsDeleted',
  /** Only on tombstones: the attribute for the table's TTL. */
  expires: 'dtsExpires',
} as const

/** DynamoDB's own limit for an update expression. */
const maxExpressionBytes = 4096

/** Longer than the days that DTS keeps changes. After that, no delivery can bring the row back. */
const defaultKeepSeconds = 14 * 86_400

/**
 * Writes `set` and the change's position to an item unless the item has seen the change. Other attributes stay.
 * @throws DtsError FENCE_INVALID, before anything is written, if a cell cannot be stored or contradicts the key, or there
 *   are more cells than one update can set; other errors of DynamoDB as they are
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
  const assignments = ['#generation=:generation', '#offset=:offset']
  for (const [index, [name, attribute]] of set.entries()) {
    // Short, because the length of the whole expression is limited.
    const placeholder = index.toString(36)
    names[`#${placeholder}`] = name
    values[`:${placeholder}`] = attribute
    assignments.push(`#${placeholder}=:${placeholder}`)
  }
  const expression = `SET ${assignments.join(',')} REMOVE #deleted,#expires`
  if (expression.length > maxExpressionBytes) throw tooManyAttributes(set.length)
  return sendConditionally(() =>
    client.send(
      new UpdateItemCommand({
        TableName: table,
        Key: key,
        UpdateExpression: expression,
        ConditionExpression: fence.isOlder,
        ExpressionAttributeNames: names,
        ExpressionAttributeValues: values,
      }),
    ),
  )
}

/**
 * Deletes a row unless its item has seen the change. A tombstone remains: the key and the change's position. Without it, a
 * repeated delivery of the row's INSERT would bring the row back. Readers ignore items that have `dtsDeleted`. DynamoDB's
 * TTL on `dtsExpires` (UNIX seconds) removes them.
 */
export async function fencedDelete(client: DynamoDBClient, write: FencedDelete): Promise<FenceResult> {
  const { table, key, change, keepSeconds = defaultKeepSeconds, now = Date.now } = write
  const fence = fenceOf(change)
  return sendConditionally(() =>
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

/** A second update for the rest would be another write, and one of the two could be lost. */
function tooManyAttributes(count: number): DtsError {
  return new DtsError(
    'FENCE_INVALID',
    `The update sets ${count} attributes, more than one update of DynamoDB can carry: its expression is limited to ` +
      `${maxExpressionBytes} bytes, which is room for about 500. Nothing was written. Store columns together as one ` +
      'document, such as `set: { row: change.after }`. Correct the handler, then deploy it.',
    { retryable: false, facts: { attributes: count } },
  )
}

/** The attributes to set. DynamoDB refuses an update that names the key, so that is left out. */
function attributesToSet(
  set: FencedUpdate['set'],
  key: Readonly<Record<string, AttributeValue>>,
): [name: string, attribute: AttributeValue][] {
  const reserved: ReadonlySet<string> = new Set(Object.values(fenceAttributes))
  const cells = Object.entries(set).filter(([, cell]) => cell !== undefined)
  const attributes = cells.map(([name, cell]): [string, AttributeValue] => {
    if (reserved.has(name)) throw refused(name, 'is reserved for the fence', 'Give it another name.')
    return [name, attributeOf(name, cell)]
  })
  return attributes.filter(([name, attribute]) => {
    const own = Object.hasOwn(key, name) ? key[name] : undefined
    if (own === undefined) return true
    if (areEqual(own, attribute)) return false
    throw refused(
      name,
      'has another value in `set` than in `key`',
      'An UPDATE that changes the key is a fencedDelete of the old key, then a fencedUpdate of the new one.',
    )
  })
}

function areEqual(one: AttributeValue, other: AttributeValue): boolean {
  if (one.B !== undefined && other.B !== undefined) return Buffer.compare(one.B, other.B) === 0
  return isDeepStrictEqual(one, other)
}

/** DynamoDB's numbers have 38 digits, so that it compares offsets exactly. */
function fenceOf({ generation, offset }: FencedWrite['change']) {
  // DynamoDB would compare a text as a text, and the fence would let older changes through.
  if (!Number.isSafeInteger(generation) || typeof offset !== 'bigint') {
    throw new DtsError(
      'FENCE_INVALID',
      'The fence needs the `change` that the handler got, with its generation (a number) and its offset (a bigint). ' +
        'Nothing was written. Correct the handler, then deploy it.',
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

/** If the answer of a write is lost, the SDK repeats the write. It then finds its own position: `seen`, which is done. */
async function sendConditionally(send: () => Promise<unknown>): Promise<FenceResult> {
  try {
    await send()
    return 'applied'
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return 'seen'
    throw error
  }
}
