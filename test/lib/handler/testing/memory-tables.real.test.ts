import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  type AttributeValue,
  DynamoDBClient,
  GetItemCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import fc from 'fast-check'
import { memoryTables } from '../../../../lib/handler/testing/index.ts'
import { startDynamoDbLocal } from '../../../rig/dynamodb-local.ts'
import { seededRuns } from '../../../rig/property.ts'
import { createKeyTable } from '../../../support/key-table.ts'

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
const table = 'rows'

const numbers = fc.constantFrom('0', '1', '-1.50', '1e3', '12345678901234567890.5', '0.000001')
const texts = fc.constantFrom('a', 'b', 'ab', 'ä', '𝄞', 'Z')
const value: fc.Arbitrary<AttributeValue> = fc.oneof(
  numbers.map((N) => ({ N })),
  texts.map((S) => ({ S })),
  fc.boolean().map((BOOL) => ({ BOOL })),
  fc.constantFrom([1], [1, 2], [2, 1]).map((bytes) => ({ B: Buffer.from(bytes) })),
  fc.constant({ NULL: true } as const),
  fc.uniqueArray(texts, { minLength: 1, maxLength: 3 }).map((SS) => ({ SS })),
  fc.uniqueArray(fc.constantFrom('1', '2', '3'), { minLength: 1, maxLength: 3 }).map((NS) => ({ NS })),
  fc.array(numbers, { maxLength: 2 }).map((all) => ({ L: all.map((N) => ({ N })) })),
  texts.map((S) => ({ M: { x: { S }, y: { N: '1' } } })),
)

/** Few names, so that the requests of one case meet the same attributes. */
const place = fc.constantFrom('p', 'q', 'm.x', 'l[0]', 'l[5]')
const wholePlace = fc.constantFrom('p', 'q', 'l', 'm')
const operand = fc.oneof(place, fc.constantFrom(':v', ':w'))

const simple = fc.oneof(
  fc
    .tuple(operand, fc.constantFrom('=', '<>', '<', '<=', '>', '>='), operand)
    .map((parts) => parts.join(' ')),
  place.map((name) => `attribute_exists(${name})`),
  place.map((name) => `attribute_not_exists(${name})`),
  place.map((name) => `contains(${name}, :v)`),
  place.map((name) => `begins_with(${name}, :s)`),
  place.map((name) => `begins_with(${name}, :b)`),
  place.map((name) => `contains(${name}, :b)`),
  place.map((name) => `attribute_type(${name}, :type)`),
  place.map((name) => `size(${name}) > :n`),
  place.map((name) => `${name} BETWEEN :n AND :m`),
  place.map((name) => `${name} IN (:v, :w)`),
)
const condition = fc.oneof(
  fc.constantFrom('attribute_not_exists(absent)', 'id <> :n'),
  simple,
  fc
    .tuple(simple, fc.constantFrom('AND', 'OR'), simple, fc.constantFrom('AND', 'OR'), simple)
    .map((parts) => parts.join(' ')),
  fc.tuple(simple, simple, simple).map(([a, b, c]) => `NOT (${a} OR ${b}) AND ${c}`),
)
const update = fc.oneof(
  fc.tuple(wholePlace, operand).map(([name, what]) => `SET ${name} = ${what}`),
  fc
    .tuple(place, fc.constantFrom('+', '-'))
    .map(([name, sign]) => `SET ${name} = if_not_exists(${name}, :n) ${sign} :n`),
  fc.constant('SET l = list_append(if_not_exists(l, :list), :list) REMOVE q'),
  place.map((name) => `REMOVE ${name}`),
  fc.constantFrom('REMOVE l[0], l[1]', 'REMOVE l[1], l[0], p', 'SET l = :long'),
  wholePlace.map((name) => `ADD ${name} :v`),
  wholePlace.map((name) => `DELETE ${name} :v SET q = :w`),
)
const request = fc.record({ key: fc.constantFrom('1', '2'), update, condition, v: value, w: value })
type Request = typeof request extends fc.Arbitrary<infer Given> ? Given : never

/** The request as an UpdateItem takes it, with the placeholders that it uses. */
function inputOf(
  run: number,
  { key, update: UpdateExpression, condition: ConditionExpression, v, w }: Request,
) {
  const all = {
    ':v': v,
    ':w': w,
    ':s': { S: 'a' },
    ':b': { B: Buffer.from([1]) },
    ':n': { N: '2' },
    ':m': { N: '3' },
    ':type': { S: 'N' },
    ':list': { L: [{ N: '7' }] },
    ':long': { L: [{ N: '1' }, { N: '2' }, { N: '3' }] },
  }
  const used = new Set(`${UpdateExpression} ${ConditionExpression}`.match(/:\w+/g))
  const values = Object.entries(all).filter(([name]) => used.has(name))
  return {
    TableName: table,
    Key: { id: { S: `${run}/${key}` } },
    UpdateExpression,
    ConditionExpression,
    ...(values.length > 0 ? { ExpressionAttributeValues: Object.fromEntries(values) } : {}),
  }
}

describe('tables in memory, compared with DynamoDB Local', () => {
  let dynamo: Awaited<ReturnType<typeof startDynamoDbLocal>>
  let real: DynamoDBClient
  const memory = new DynamoDBClient({ region: 'eu-central-1' })
  /** Each run has items of its own, so that a failing one shrinks to the requests that matter. */
  let runs = 0
  memoryTables(memory, { [table]: 'id' })

  before(async () => {
    dynamo = await startDynamoDbLocal()
    real = new DynamoDBClient({ endpoint: dynamo.endpoint, region: 'eu-central-1', credentials })
    await createKeyTable(real, table)
  })
  after(async () => {
    real.destroy()
    await dynamo.stop()
  })

  async function result(act: Promise<unknown>): Promise<string> {
    try {
      await act
      return 'done'
    } catch (error) {
      const { name, CancellationReasons: reasons = [] } = error as Error & {
        CancellationReasons?: { Code?: string }[]
      }
      return [name, ...reasons.map(({ Code }) => Code)].join(' ')
    }
  }

  async function itemsOf(client: DynamoDBClient, run: number) {
    const read = (key: string) =>
      client.send(
        new GetItemCommand({ TableName: table, Key: { id: { S: `${run}/${key}` } }, ConsistentRead: true }),
      )
    return JSON.stringify((await Promise.all(['1', '2'].map(read))).map(({ Item = {} }) => sorted(Item)))
  }

  test('updates with random conditions have the same results, and leave the same items', async () => {
    const results = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 4, maxLength: 10 }), async (requests) => {
        const run = ++runs
        for (const given of requests) {
          const send = (client: DynamoDBClient) =>
            result(client.send(new UpdateItemCommand(inputOf(run, given))))
          const [expected, found] = await Promise.all([send(real), send(memory)])
          assert.equal(...comparable(found, expected), JSON.stringify(given))
          results.set(expected, (results.get(expected) ?? 0) + 1)
          assert.deepEqual(await itemsOf(memory, run), await itemsOf(real, run), JSON.stringify(given))
        }
      }),
      seededRuns(100),
    )
    for (const name of ['done', 'ConditionalCheckFailedException', 'ValidationException'])
      assert.ok((results.get(name) ?? 0) > 20, JSON.stringify([...results]))
  })

  test('transactions have the same results, and leave the same items', async () => {
    const results = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(fc.tuple(request, request), async (requests) => {
        const run = ++runs
        const TransactItems = requests.map((given, at) => ({
          Update: inputOf(run, { ...given, key: at === 0 ? '1' : '2' }),
        }))
        const send = (client: DynamoDBClient) =>
          result(client.send(new TransactWriteItemsCommand({ TransactItems })))
        const [expected, found] = await Promise.all([send(real), send(memory)])
        assert.equal(...comparable(found, expected), JSON.stringify(requests))
        results.set(expected, (results.get(expected) ?? 0) + 1)
        assert.deepEqual(await itemsOf(memory, run), await itemsOf(real, run), JSON.stringify(requests))
      }),
      seededRuns(100),
    )
    assert.ok((results.get('done') ?? 0) > 0, JSON.stringify([...results]))
  })
})

/** A request that is wrong and whose condition fails is refused for either reason: DynamoDB does not say which comes first. */
function comparable(found: string, expected: string): readonly [found: string, expected: string] {
  const isInvalid = [found, expected].includes('ValidationException')
  const name = (result: string) => (isInvalid && result !== 'done' ? 'refused' : result)
  return [name(found), name(expected)]
}

/** The order of a set has no meaning, nor has the spelling of a number. */
function sorted(item: Readonly<Record<string, AttributeValue>>): unknown {
  return Object.entries(item)
    .map(([name, found]) => [name, canonical(found)] as const)
    .sort(([left], [right]) => (left < right ? -1 : 1))
}

function canonical(found: AttributeValue): unknown {
  if (found.B !== undefined) return { B: Buffer.from(found.B).toString('hex') }
  if (found.SS !== undefined) return { SS: found.SS.toSorted() }
  if (found.NS !== undefined) return { NS: found.NS.toSorted() }
  if (found.L !== undefined) return { L: found.L.map(canonical) }
  if (found.M !== undefined) return { M: sorted(found.M) }
  if (found.N !== undefined) return { N: plain(found.N) }
  return found
}

/** `1e3` and `1000`, `-1.50` and `-1.5` are one number. */
function plain(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? assert.fail(text)
  const point = whole.length + Number(exponent)
  const digits = (whole + fraction)
    .padEnd(point, '0')
    .padStart(whole.length + fraction.length - point + 1, '0')
  const at = digits.length - Math.max(0, whole.length + fraction.length - point)
  const decimals = digits.slice(at).replace(/0+$/, '')
  return `${sign}${digits.slice(0, at).replace(/^0+(?=\d)/, '')}${decimals === '' ? '' : `.${decimals}`}`
}
