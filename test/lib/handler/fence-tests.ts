import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import type { AwsEndpoint } from '../../../infra/local/dynalite.ts'
import { DtsError } from '../../../lib/errors.ts'
import { type Cell, type FenceResult, fencedDelete, fencedUpdate } from '../../../lib/handler/fence.ts'
import { createKeyTable } from '../../support/key-table.ts'

const table = 'rows'
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }

/** The row after a change; null if it was deleted. */
type State = Readonly<Record<string, Cell>> | null

/** The same tests for every DynamoDB. */
export function fenceTests(name: string, startDynamo: () => Promise<AwsEndpoint>): void {
  describe(`the fence on ${name}`, () => {
    let dynamo: AwsEndpoint
    let client: DynamoDBClient
    let items = 0

    before(async () => {
      dynamo = await startDynamo()
      client = new DynamoDBClient({ endpoint: dynamo.endpoint, region: 'eu-central-1', credentials })
      await createKeyTable(client, table, 'N')
    })
    after(async () => {
      client.destroy()
      await dynamo.stop()
    })

    const itemOf = async (id: number) =>
      (
        await client.send(
          new GetItemCommand({ TableName: table, Key: { id: { N: String(id) } }, ConsistentRead: true }),
        )
      ).Item

    function deliver(id: number, state: State, offset: bigint, generation = 1): Promise<FenceResult> {
      const write = { table, key: { id }, change: { generation, offset } }
      return state === null ? fencedDelete(client, write) : fencedUpdate(client, { ...write, set: state })
    }

    /** The row as a reader sees it; null if it was deleted, or is a tombstone. */
    async function read(id: number): Promise<string | null> {
      const item = await itemOf(id)
      return item === undefined || item.dtsDeleted !== undefined ? null : (item.status?.S ?? 'no status')
    }

    test('stores as many columns as one update of DynamoDB can carry, at least 500, and refuses more before it writes', async () => {
      const id = ++items
      const columns = (count: number) =>
        Object.fromEntries(Array.from({ length: count }, (_, at) => [`a column with a long name, ${at}`, at]))
      let count = 600
      const isTooMuch = (error: unknown) => {
        assert.ok(error instanceof DtsError && error.code === 'FENCE_INVALID', String(error))
        assert.match(error.message, new RegExp(`sets ${count} attributes.*Nothing was written.*one document`))
        return null
      }
      while ((await deliver(id, columns(count), 5n).catch(isTooMuch)) === null) count -= 1
      assert.ok(count >= 500 && count < 600, String(count))
      const { id: _, dtsGeneration, dtsOffset, ...stored } = (await itemOf(id)) ?? {}
      assert.deepEqual([dtsGeneration, dtsOffset], [{ N: '1' }, { N: '5' }])
      const numbers = Object.entries(stored).map(([name, { N }]) => [name, Number(N)])
      assert.deepEqual(Object.fromEntries(numbers), columns(count))
    })

    test('stores each kind of cell, keeps attributes that the change does not have, and applies a repeated change once', async () => {
      const id = ++items
      const set = {
        text: 'a',
        empty: '',
        whole: 7,
        big: 9_223_372_036_854_775_807n,
        yes: true,
        nothing: null,
        bytes: new Uint8Array([0, 255]),
      }
      assert.equal(await deliver(id, set, 5n), 'applied')
      assert.equal(await deliver(id, { text: 'b', whole: undefined }, 6n), 'applied')
      assert.equal(await deliver(id, { text: 'c' }, 6n), 'seen')
      const { text, bytes, ...rest } = (await itemOf(id)) ?? {}
      assert.deepEqual(text, { S: 'b' })
      assert.deepEqual(Buffer.from(bytes?.B ?? []), Buffer.from([0, 255]))
      assert.deepEqual(rest, {
        id: { N: String(id) },
        empty: { S: '' },
        whole: { N: '7' },
        big: { N: '9223372036854775807' },
        yes: { BOOL: true },
        nothing: { NULL: true },
        dtsGeneration: { N: '1' },
        dtsOffset: { N: '6' },
      })
    })

    test('stores documents, maps and sets as DynamoDB has them', async () => {
      const id = ++items
      const document: Cell = JSON.parse(
        '{"sku":"A","tags":["x",null,true],"at":{"n":1.5},"constructor":{"name":"Set"}}',
      )
      const set = {
        document,
        list: [1, 2n ** 63n, 'a', new Uint8Array([7])],
        map: new Map<string, Cell>([['k', { deep: [] }]]),
        emptyMap: {},
        texts: new Set(['b', 'a']),
        numbers: new Set<number | bigint>([1, 2n]),
        bytes: new Set([new Uint8Array([1])]),
        row: Object.assign(Object.create(Object.freeze(Object.create(null))), { id: 1n }),
        double: 1e100,
        tiny: -1e-100,
      }
      assert.equal(await deliver(id, set, 1n), 'applied')
      const item = (await itemOf(id)) ?? {}
      assert.deepEqual(item.document, {
        M: {
          sku: { S: 'A' },
          tags: { L: [{ S: 'x' }, { NULL: true }, { BOOL: true }] },
          at: { M: { n: { N: '1.5' } } },
          constructor: { M: { name: { S: 'Set' } } },
        },
      })
      assert.deepEqual(item.list?.L?.slice(0, 3), [{ N: '1' }, { N: '9223372036854775808' }, { S: 'a' }])
      assert.deepEqual(Buffer.from(item.list?.L?.[3]?.B ?? []), Buffer.from([7]))
      assert.deepEqual(item.map, { M: { k: { M: { deep: { L: [] } } } } })
      assert.deepEqual(item.emptyMap, { M: {} })
      assert.deepEqual(item.texts?.SS?.sort(), ['a', 'b'])
      assert.deepEqual(item.numbers?.NS?.sort(), ['1', '2'])
      assert.deepEqual(Buffer.from(item.bytes?.BS?.[0] ?? []), Buffer.from([1]))
      assert.deepEqual(item.row, { M: { id: { N: '1' } } })
      assert.equal(Number(item.double?.N), 1e100)
      assert.equal(Number(item.tiny?.N), -1e-100)
    })

    test('accepts a whole row, which includes the key', async () => {
      const id = ++items
      const change = { generation: 1, offset: 1n }
      const row = { id: BigInt(id), status: 'new', note: undefined }
      assert.equal(await fencedUpdate(client, { table, key: { id }, change, set: row }), 'applied')
      assert.deepEqual(await itemOf(id), {
        id: { N: String(id) },
        status: { S: 'new' },
        dtsGeneration: { N: '1' },
        dtsOffset: { N: '1' },
      })
      const later = {
        table,
        key: { id: row.id },
        change: { generation: 1, offset: 2n },
        set: { ...row, status: 'paid' },
      }
      assert.equal(await fencedUpdate(client, later), 'applied')
      assert.equal(await fencedUpdate(client, later), 'seen')
    })

    test('distinguishes offsets that are equal as JavaScript numbers', async () => {
      const id = ++items
      const [lower, higher] = [9_223_372_036_854_775_806n, 9_223_372_036_854_775_807n]
      assert.equal(Number(lower), Number(higher))
      assert.equal(await deliver(id, { status: 'lower' }, lower), 'applied')
      assert.equal(await deliver(id, { status: 'higher' }, higher), 'applied')
      assert.equal(await deliver(id, { status: 'lower' }, lower), 'seen')
      assert.equal(await read(id), 'higher')
    })

    test('compares offsets as numbers, not as texts', async () => {
      const id = ++items
      await deliver(id, { status: 'ninth' }, 9n)
      assert.equal(await deliver(id, { status: 'tenth' }, 10n), 'applied')
      assert.equal(await deliver(id, { status: 'ninth' }, 9n), 'seen')
    })

    test('a newer generation wins over any offset of an older one', async () => {
      const id = ++items
      await deliver(id, { status: 'old' }, 1_000n, 1)
      assert.equal(await deliver(id, { status: 'new' }, 3n, 2), 'applied')
      assert.equal(await deliver(id, { status: 'older' }, 2_000n, 1), 'seen')
      assert.equal(await read(id), 'new')
    })

    test('applies each change once and never returns to an older state, after any number of redeliveries of any suffix', async () => {
      const history: State[] = [
        { status: 'new' },
        { status: 'paid' },
        null,
        { status: 'again' },
        { status: 'sent' },
        null,
      ]
      const starts = history.map((_, index) => index)
      // Every pair of offsets to restart from, after every number of changes that are done.
      for (const reached of starts) {
        for (const first of starts.filter((start) => start <= reached)) {
          const id = ++items
          const applied = history.map(() => 0)
          let furthest = -1
          for (const [from, to] of [
            [0, reached],
            [first, reached],
            [0, history.length - 1],
            [first, history.length - 1],
          ] as const) {
            for (let index = from; index <= to; index++) {
              const result = await deliver(id, history[index] ?? null, BigInt(100 + index))
              if (result === 'applied') applied[index] = (applied[index] ?? 0) + 1
              furthest = Math.max(furthest, index)
              assert.equal(await read(id), history[furthest]?.status ?? null)
            }
          }
          assert.deepEqual(
            applied,
            history.map(() => 1),
          )
        }
      }
    })

    test('keeps the newest state of concurrent writers, in any order', async () => {
      for (let round = 0; round < 10; round++) {
        const id = ++items
        const offsets = Array.from({ length: 12 }, (_, index) => BigInt(index))
        // Odd changes delete, and so does the last change of every second round.
        const last = BigInt(offsets.length - 1 - (round % 2))
        const sent = offsets.filter((offset) => offset <= last)
        const order = sent.map((_, index) => sent[(index * 5 + round) % sent.length] ?? 0n)
        const results = await Promise.all(
          [...order, ...order.toReversed()].map((offset) =>
            deliver(id, offset % 2n === 1n ? null : { status: `at ${offset}` }, offset),
          ),
        )
        assert.ok(results.includes('seen'))
        assert.equal(await read(id), last % 2n === 1n ? null : `at ${last}`)
        assert.deepEqual((await itemOf(id))?.dtsOffset, { N: String(last) })
      }
    })

    test('keeps only the position of a deleted row, until the tombstone expires', async () => {
      const id = ++items
      await deliver(id, { status: 'new', card: '4000' }, 1n)
      const change = { generation: 1, offset: 2n }
      const write = { table, key: { id }, change, keepSeconds: 60, now: () => 1_000_000_000_500 }
      assert.equal(await fencedDelete(client, write), 'applied')
      assert.deepEqual(await itemOf(id), {
        id: { N: String(id) },
        dtsGeneration: { N: '1' },
        dtsOffset: { N: '2' },
        dtsDeleted: { BOOL: true },
        dtsExpires: { N: '1000000061' },
      })
      assert.equal(await deliver(id, { status: 'new', card: '4000' }, 1n), 'seen')
      assert.equal(await read(id), null)
      // The tombstone's expiry must not remove a row that was inserted again.
      assert.equal(await deliver(id, { status: 'back' }, 3n), 'applied')
      assert.deepEqual(Object.keys((await itemOf(id)) ?? {}).sort(), [
        'dtsGeneration',
        'dtsOffset',
        'id',
        'status',
      ])
    })

    test('throws when DynamoDB refuses a write for another reason, so that the change does not count as done', async () => {
      const change = { generation: 1, offset: 1n }
      await assert.rejects(fencedUpdate(client, { table: 'missing', key: { id: 1 }, change, set: {} }), {
        name: 'ResourceNotFoundException',
      })
      await assert.rejects(fencedDelete(client, { table: 'missing', key: { id: 1 }, change }), {
        name: 'ResourceNotFoundException',
      })
    })
  })
}
