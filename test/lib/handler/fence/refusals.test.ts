import '../../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { defineTable } from '../../../../lib/handler/define-table.ts'
import { type Cell, fencedDelete, fencedUpdate } from '../../../../lib/handler/fence.ts'
import { batchOf, insertsOf, row, send } from '../define-table/support.ts'

/** No server listens there: the fence must refuse a write before it sends anything. */
const client = new DynamoDBClient({
  endpoint: 'http://127.0.0.1:9',
  region: 'eu-central-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  maxAttempts: 1,
})
after(() => client.destroy())

const change = { generation: 1, offset: 1n }

class Money {
  readonly cents = 5
}

function cyclic(): object {
  const document: Record<string, unknown> = {}
  document.self = document
  return document
}

function nested(depth: number): unknown {
  return depth === 0 ? 'canary' : [nested(depth - 1)]
}

describe('a cell that cannot be stored exactly', () => {
  const cases: [reason: string, cell: unknown, message: RegExp][] = [
    ['a Date', new Date(0), /at is an object of the class Date.*toISOString/],
    ['a Date inside a document', { placed: [new Date(0)] }, /at\.\*\[0\] is an object of the class Date/],
    ['an object of a class', new Money(), /class Money/],
    ['a regular expression', /canary/, /class RegExp/],
    ['an error', new Error('canary'), /class Error/],
    ['a promise', Promise.resolve('canary'), /class Promise/],
    ['bytes that are not Uint8Array', new Uint16Array([1]), /class Uint16Array/],
    ['signed bytes', new Int8Array([1]), /class Int8Array/],
    ['a buffer without a view', new ArrayBuffer(1), /class ArrayBuffer/],
    ['a view', new DataView(new ArrayBuffer(1)), /class DataView/],
    ['a Blob', new Blob(['canary']), /class Blob/],
    ['a boxed text', Object('canary'), /class String/],
    ['a WeakMap', new WeakMap(), /class WeakMap/],
    ['a function', () => 'canary', /at is a function/],
    ['a function inside a list', ['a', () => 'canary'], /at\[1\] is a function/],
    ['a symbol', Symbol('canary'), /at is a symbol/],
    ['undefined inside a document', { canary: undefined }, /at\.\* is undefined/],
    ['NaN', Number.NaN, /number outside of DynamoDB's range: NaN.*as a string/],
    ['Infinity', [Number.POSITIVE_INFINITY], /at\[0\] is a number outside of DynamoDB's range: Infinity/],
    ['a number above the range', 1e126, /outside of DynamoDB's range: 1e\+126/],
    ['a number below the range', -1e-131, /outside of DynamoDB's range: -1e-131/],
    ['an integer of 39 digits', 10n ** 38n + 1n, /integer of 39 digits, but DynamoDB stores 38/],
    ['an integer above the range', 10n ** 126n, /integer of 127 digits/],
    ['half a character', 'canary \ud83d', /half a character/],
    ['half a character in the name of a member', { '\ud83d': 1 }, /name holds half a character/],
    [
      'a member named __proto__',
      JSON.parse('{"a":{"__proto__":{"canary":1}}}'),
      /at\.\* has a member named __proto__/,
    ],
    ['a Map with such a member', new Map([['__proto__', 1]]), /member named __proto__/],
    ['a Map whose keys are not texts', new Map([[1, 'canary']]), /a number as the name of a member/],
    ['an empty set', new Set(), /empty set.*Store null/],
    ['a set of different kinds', new Set(['canary', 1]), /set of different kinds \(a string, a number\)/],
    ['a set of truth values', new Set([true]), /set whose items are each a boolean/],
    ['a set of NaN', new Set([Number.NaN]), /at\[\] is a number outside/],
    ['a document that contains itself', cyclic(), /nested deeper than the 32 levels/],
    ['a document 40 deep', nested(40), /nested deeper than the 32 levels/],
  ]
  for (const [reason, cell, message] of cases) {
    test(`${reason}: is refused with its place and kind, and nothing is sent`, async () => {
      const set = { status: 'new', at: cell as Cell }
      const writing = fencedUpdate(client, { table: 'rows', key: { id: 1 }, change, set })
      await assert.rejects(writing, (error: Error) => {
        assert.equal(error.name, 'FENCE_INVALID')
        assert.match(error.message, message)
        assert.match(
          error.message,
          /^The attribute at\b.*\. Nothing was written\. .*Correct the handler, then deploy it\.$/,
        )
        assert.doesNotMatch(error.message, /canary/)
        return true
      })
    })
  }

  test('fails its own change, and the answer to the poller has the reason', async () => {
    const handler = defineTable({
      table: 'shop.orders',
      row,
      async onChange({ offset, generation }) {
        const set = { at: (offset === 101n ? new Date(0) : 'text') as Cell }
        if (offset === 101n)
          await fencedUpdate(client, { table: 'rows', key: { id: 1 }, change: { offset, generation }, set })
      },
    })
    const { acknowledgedThrough, failure } = await send(handler, batchOf(insertsOf(1, 2)))
    assert.deepEqual([acknowledgedThrough, failure?.offset, failure?.code], ['100', '101', 'FENCE_INVALID'])
    assert.match(failure?.message ?? '', /class Date/)
  })
})

describe('a key that DynamoDB does not accept', () => {
  const keys: [reason: string, id: unknown, message: RegExp][] = [
    ['a column that the image lacks', undefined, /id is undefined, which DynamoDB does not accept/],
    ['NULL', null, /id is null, which DynamoDB does not accept/],
    ['an empty text', '', /id is empty, which DynamoDB does not accept/],
    ['no bytes', new Uint8Array(), /id is empty, which DynamoDB does not accept/],
    ['a truth value', true, /id is a boolean, which DynamoDB does not accept/],
    ['a document', { id: 1 }, /id is an object of the class Object, which DynamoDB does not accept/],
    ['NaN', Number.NaN, /id is a number outside/],
  ]
  for (const [reason, id, message] of keys) {
    test(`${reason}: is refused for an update and for a delete`, async () => {
      const write = { table: 'rows', key: { id: id as string }, change }
      await assert.rejects(fencedUpdate(client, { ...write, set: {} }), { code: 'FENCE_INVALID', message })
      await assert.rejects(fencedDelete(client, write), { code: 'FENCE_INVALID', message })
    })
  }

  const contradictions: [reason: string, key: string | number | Uint8Array, cell: Cell][] = [
    ['another number', 1, 2n],
    ['NULL', 1, null],
    ['a text of the same digits', 1, '1'],
    ['other bytes', new Uint8Array([1]), Buffer.from([2])],
  ]
  for (const [reason, key, id] of contradictions) {
    test(`or that the row contradicts (${reason}): is refused, and the message names the alternative`, async () => {
      const writing = fencedUpdate(client, {
        table: 'rows',
        key: { id: key },
        change,
        set: { id, status: 'new' },
      })
      await assert.rejects(writing, {
        code: 'FENCE_INVALID',
        message:
          /id has another value in `set` than in `key`.*fencedDelete of the old key, then a fencedUpdate of the new/,
      })
    })
  }
})

test('a row can contain the key in another form of the same value', async () => {
  const same: [key: number | Uint8Array, cell: Cell][] = [
    [1, 1n],
    [Buffer.from([1]), new Uint8Array([1])],
  ]
  for (const [key, id] of same) {
    const writing = fencedUpdate(client, { table: 'rows', key: { id: key }, change, set: { id } })
    await assert.rejects(writing, { code: 'ECONNREFUSED' })
  }
})

test('attributes that are reserved for the fence cannot be set', async () => {
  for (const name of ['dtsGeneration', 'dtsOffset', 'dtsDeleted', 'dtsExpires']) {
    const writing = fencedUpdate(client, { table: 'rows', key: { id: 1 }, change, set: { [name]: 1 } })
    await assert.rejects(writing, { code: 'FENCE_INVALID', message: /reserved for the fence/ })
  }
})

test('a change without generation and offset is refused, because it cannot be compared', async () => {
  const changes: unknown[] = [
    { generation: 1, offset: '5' },
    { generation: 1, offset: 5 },
    { generation: '1', offset: 5n },
    { generation: Number.NaN, offset: 5n },
    {},
  ]
  for (const wrong of changes) {
    const write = { table: 'rows', key: { id: 1 }, change: wrong as typeof change }
    await assert.rejects(fencedUpdate(client, { ...write, set: {} }), {
      code: 'FENCE_INVALID',
      message: /a bigint/,
    })
    await assert.rejects(fencedDelete(client, write), { code: 'FENCE_INVALID', message: /a bigint/ })
  }
})
