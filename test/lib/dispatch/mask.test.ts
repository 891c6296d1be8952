import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, test } from 'node:test'
import { encodeRecord, integer, text } from '../../../infra/local/encode.ts'
import { hashes, Masker, maskedRow, maskerFor, pseudonym, unmaskable } from '../../../lib/dispatch/mask.ts'
import { routeSlice } from '../../../lib/dispatch/route-slice.ts'
import { Router } from '../../../lib/dispatch/routes.ts'
import { DtsError } from '../../../lib/errors.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import { route } from '../../support/dispatch.ts'
import { t0, Writer } from '../../support/records.ts'

const key = 'a key of the test'
const write = new Writer()

function keyed(id: string, status: string): Buffer {
  return encodeRecord({
    operation: 'INSERT',
    objectName: 'shop.orders',
    sourceTimestamp: t0,
    fields: [
      ['id', 253],
      ['status', 253],
    ],
    after: [text(id), text(status)],
    tags: { pk_uk_info: '{"PRIMARY":["id"]}' },
  })
}

function routed(values: readonly Buffer[], router: Router, masker = new Masker(key)) {
  const records = LogRecords.of(values.map((value, index) => ({ offset: BigInt(index), value })))
  return routeSlice(
    { records, from: 0, to: records.length, nextOffset: BigInt(values.length) },
    router,
    'halt',
    masker,
  )
}

test('a pseudonym is the HMAC-SHA-256 of the text, so that it can be computed elsewhere', () => {
  const expected = createHmac('sha256', key).update('ä@x').digest('hex')
  assert.deepEqual([pseudonym('ä@x', key), pseudonym(Buffer.from('ä@x'), key)], [expected, expected])
  assert.notEqual(pseudonym('ä@x', 'another key'), expected)
})

test('a row is masked as its record is', () => {
  const row = { id: 7n, email: 'a@x', phone: '0', note: null, data: Buffer.from([255]), hidden: 1, name: 'b' }
  const mask = {
    id: 'hash',
    email: 'hash',
    phone: 'drop',
    note: 'hash',
    data: 'hash',
    absent: 'hash',
    hidden: 'drop-if-present',
    name: 'hash-if-present',
  } as const
  assert.deepEqual(maskedRow(row, mask, key), {
    id: pseudonym('7', key),
    email: pseudonym('a@x', key),
    note: null,
    data: pseudonym(Buffer.from([255]), key),
    name: pseudonym('b', key),
  })
})

describe('changes of a route with a mask', () => {
  test('are masked before they are in a queue, in the lanes of their clear keys, and other routes get clear ones', () => {
    const mask = { id: 'hash' } as const
    const ids = ['anna', 'bert', 'carl', 'dora']
    const values = ids.map((id) => keyed(id, 'canary'))
    const events = (settings: object) =>
      routed(values, new Router({ 'shop.orders': route('orders', { concurrency: 4, ...settings }) })).events
    const clear = events({})
    const masked = events({ mask: { ...mask, status: 'drop' } })
    assert.deepEqual(
      masked.map(({ key: one }) => one),
      clear.map(({ key: one }) => one),
    )
    for (const [index, event] of masked.entries()) {
      const bytes = event.value
      assert.deepEqual([event.offset, event.size], [BigInt(index), bytes?.length])
      assert.ok(bytes?.includes(pseudonym(ids[index] ?? '', key)))
      assert.ok(!bytes?.includes(ids[index] ?? '') && !bytes?.includes('canary'))
      assert.ok(clear[index]?.value?.includes('canary'))
    }
  })

  test('are judged by their clear values', () => {
    const router = new Router({
      'shop.orders': route('orders', { mask: { status: 'hash' }, filter: { where: "status = 'paid'" } }),
    })
    const { events, filtered } = routed([keyed('a', 'open'), keyed('b', 'paid')], router)
    assert.deepEqual([events.map(({ offset }) => offset), filtered.get('shop.orders')], [[1n], 1])
  })

  test('are masked also if a filter cannot judge them, because they become dead letters', () => {
    const router = new Router({
      'shop.orders': route('orders', { mask: { status: 'drop' }, filter: { where: 'typo = 1' } }),
    })
    const [event] = routed([keyed('a', 'canary')], router).events
    assert.equal(event?.fault?.code, 'COLUMN_UNKNOWN')
    assert.ok(!event?.value?.includes('canary'))
  })

  test('include statements, which stay as they are', () => {
    const router = new Router({ 'shop.orders': route('orders', { mask: { status: 'drop' } }) })
    const ddl = write.ddl('shop.orders', 'ALTER TABLE orders ADD x INT', t0).value ?? Buffer.alloc(0)
    assert.deepEqual(routed([ddl], router).events[0]?.value, ddl)
  })

  test('may lack a column that is masked if present, and have it masked once the table has it', () => {
    const mask = { status: 'hash-if-present', email: 'hash-if-present', phone: 'drop-if-present' } as const
    const record = (fields: readonly string[]) =>
      encodeRecord({
        operation: 'INSERT',
        objectName: 'shop.orders',
        sourceTimestamp: t0,
        fields: fields.map((name) => [name, 253]),
        after: fields.map((name) => text(`canary ${name}`)),
      })
    const part = routed(
      [record(['status']), record(['status', 'email', 'phone'])],
      new Router({ 'shop.orders': route('orders', { mask }) }),
    )
    assert.deepEqual([part.halt, part.events.length], [null, 2])
    const [before, after] = part.events.map(({ value }) => value)
    for (const value of [before, after]) {
      assert.ok(value?.includes(pseudonym('canary status', key)))
      assert.equal(value?.includes('canary'), false)
    }
    assert.ok(after?.includes(pseudonym('canary email', key)))
  })

  test('lose no key column to a mask that drops it if present', () => {
    const router = new Router({ 'shop.orders': route('orders', { mask: { id: 'drop-if-present' } }) })
    assert.match(
      routed([keyed('a', 'b')], router).halt?.message ?? '',
      /drops id, a column of the primary key/,
    )
  })

  test('wait for a key also if a rule hashes only present columns', () => {
    assert.equal(hashes({ mask: { email: 'hash-if-present' } }), true)
    assert.equal(hashes({ mask: { email: 'drop-if-present' } }), false)
  })

  const broken = keyed('a', 'canary')
  const impossible: [what: string, mask: Record<string, 'hash' | 'drop'>, value: Buffer, message: RegExp][] =
    [
      [
        'the table lacks the column',
        { emial: 'hash' },
        keyed('a', 'canary'),
        /for orders: its table shop\.orders has no column emial\. The columns are id, status\..* hash-if-present lets this/,
      ],
      [
        'the mask drops a key column',
        { id: 'drop' },
        keyed('a', 'canary'),
        /drops id, a column of the primary key/,
      ],
      [
        'the record cannot be decoded',
        { status: 'drop' },
        broken.subarray(0, broken.length - 12),
        /cannot be masked for orders: /,
      ],
    ]
  for (const [what, mask, value, message] of impossible) {
    test(`halt the stream before the change if ${what}, without the clear value anywhere`, () => {
      const router = new Router({ 'shop.orders': route('orders', { mask }) })
      const good = write.insert('shop.customers', 1, t0).value ?? Buffer.alloc(0)
      const all = new Router({
        'shop.customers': route('customers'),
        'shop.orders': route('orders', { mask }),
      })
      assert.equal(router.masks && all.masks, true)
      const part = routed([good, value, good], all)
      assert.deepEqual([part.halt?.code, part.end, part.events.length], ['MASK_FAILED', 1n, 1])
      assert.match(part.halt?.message ?? '', message)
      assert.doesNotMatch(JSON.stringify([part.halt?.message, part.halt?.facts]), /canary/)
      assert.deepEqual(part.unreadable, [])
    })
  }

  test('halt the stream if no key is there, and no change is hashed with an empty one', () => {
    const router = new Router({ 'shop.orders': route('orders', { mask: { status: 'hash' } }) })
    const part = routed([keyed('a', 'b')], router, new Masker(null))
    assert.deepEqual([part.halt?.code, part.events], ['MASK_FAILED', []])
    assert.match(
      part.halt?.message ?? '',
      /A mask hashes, and there is no key\. It was neither sent nor stored/,
    )
  })

  test('that cannot be masked end in an error that says what to do, and that no repetition helps', () => {
    const router = new Router({ 'shop.orders': route('orders', { mask: { emial: 'hash' } }) })
    const { halt } = routed([keyed('a', 'b'), keyed('c', 'd')], router)
    assert.deepEqual(halt?.facts, { offset: '0', function: 'orders' })
    assert.equal(halt?.retryable, false)
    assert.deepEqual(halt?.next, [
      { action: 'deploy', change: 'Correct the mask of the handler' },
      { action: 'resume', purpose: 'let the stream continue then' },
    ])
    assert.match(halt?.message ?? '', /because that could reveal what the mask hides\.$/)
    assert.equal((halt?.cause as DtsError | undefined)?.code, 'CONFIG_INVALID')
  })

  test('are not masked for a route without a mask, whose records stay the same bytes', () => {
    const value = keyed('a', 'b')
    assert.equal(new Masker(key).masked(value, 0n, route('orders')), value)
  })
})

test('an unreadable record of a stream with masks is not stored, and the error says why and where', () => {
  const facts = { offset: '7' }
  const why = new DtsError('RECORD_INVALID', 'The record at offset 7 ends early.', { retryable: true, facts })
  const error = unmaskable(why)
  assert.deepEqual([error.code, error.retryable, error.facts], ['MASK_FAILED', false, facts])
  assert.match(
    error.message,
    /^The record at offset 7 ends early\. So its table is unknown\. .* it was not stored as a dead letter\.$/,
  )
})

describe('the key of masks', () => {
  const clear = route('customers')
  const dropping = route('items', { mask: { note: 'drop' } })
  const hashing = route('orders', { mask: { note: 'drop', status: 'hash' } })
  let asked = 0
  const read = async () => {
    asked += 1
    return key
  }

  test('is read if at least one rule of one route hashes, and is used', async () => {
    asked = 0
    const masker = await maskerFor(
      { a: clear, b: dropping, c: { ...hashing, mask: { status: 'hash' } } },
      read,
    )
    const value = masker.masked(keyed('a', 'open'), 0n, { ...hashing, mask: { status: 'hash' } })
    assert.ok(value.includes(pseudonym('open', key)))
    assert.equal(asked, 1)
    assert.equal(hashes(hashing), true)
  })

  test('is not read if no rule hashes', async () => {
    asked = 0
    const masker = await maskerFor({ a: clear, b: dropping }, read)
    assert.equal(asked, 0)
    assert.throws(() => masker.masked(keyed('a', 'open'), 0n, { ...clear, mask: { status: 'hash' } }), {
      code: 'MASK_FAILED',
    })
  })

  test('may be left out where nothing can hash: a hash is then refused', async () => {
    const masker = await maskerFor({ c: hashing }, undefined)
    assert.throws(() => masker.masked(keyed('a', 'open'), 0n, { ...clear, mask: { status: 'hash' } }), {
      code: 'MASK_FAILED',
    })
  })
})

test('an integer and its digits as a text have the same pseudonym, so that tables can be joined', () => {
  const record = (value: ReturnType<typeof integer>) =>
    encodeRecord({
      operation: 'INSERT',
      objectName: 'shop.orders',
      sourceTimestamp: t0,
      fields: [['id', 8]],
      after: [value],
    })
  const router = new Router({ 'shop.orders': route('orders', { mask: { id: 'hash' } }) })
  const { events } = routed([record(integer(42)), record(text('42'))], router)
  for (const event of events) assert.ok(event.value?.includes(pseudonym('42', key)))
})
