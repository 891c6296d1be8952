import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { zstdCompressSync } from 'node:zlib'
import {
  type Batch,
  batchSchema,
  packEvents,
  recordOverhead,
  recordsOf,
  refusal,
  sizeInBatch,
  toBatch,
} from '../../../lib/dispatch/batch-format.ts'
import { maxBatchBytes } from '../../../lib/dispatch/settings.ts'
import { eventOf } from '../../support/dispatch.ts'

const origin = { topic: 't', partition: 0, clusterId: 'c', generation: 3, replayUntil: 99 }
/** The largest request to Lambda, in bytes. */
const lambdaLimit = 6 * 1024 * 1024

function events(...values: readonly Buffer[]) {
  return values.map((value, index) => eventOf(2n ** 62n + BigInt(index), value))
}

test('a function gets the records as they were sent', () => {
  const sent = events(Buffer.from('first'), Buffer.alloc(0), randomBytes(100_000), Buffer.from('last'))
  const batch = batchSchema.parse(JSON.parse(JSON.stringify(toBatch(packEvents(sent), origin))))
  assert.deepEqual(
    recordsOf(batch),
    sent.map(({ offset, value }) => ({ offset, value })),
  )
  assert.deepEqual([batch.topic, batch.generation, batch.replayUntil], ['t', 3, 99])
  const empty = events(Buffer.from('one'), Buffer.alloc(0))
  assert.deepEqual(
    recordsOf(toBatch(packEvents(empty), origin)).map(({ value }) => value),
    [Buffer.from('one'), Buffer.alloc(0)],
  )
})

test('a batch of which nothing repeats says so in a form that every version of a function reads', () => {
  const batch = toBatch(packEvents(events(Buffer.from('one'))), { ...origin, replayUntil: null })
  assert.equal(batchSchema.parse(batch).replayUntil, -1)
})

test('the largest batch fits into an invocation even if nothing of it compresses', () => {
  const cases: [count: number, what: string][] = [
    [1, 'one record'],
    [10_000, 'as many as a route may have'],
  ]
  for (const [count, what] of cases) {
    const size = Math.floor(maxBatchBytes / count) - recordOverhead
    const batch = events(...Array.from({ length: count }, () => randomBytes(size)))
    assert.ok(batch.reduce((sum, event) => sum + sizeInBatch(event), 0) <= maxBatchBytes)
    assert.ok(JSON.stringify(toBatch(packEvents(batch), origin)).length < lambdaLimit, what)
  }
})

/** A record with a given length field. */
function record(length: number, value: string): Buffer {
  const head = Buffer.alloc(recordOverhead)
  head.writeBigInt64BE(7n)
  head.writeInt32BE(length, 8)
  return Buffer.concat([head, Buffer.from(value)])
}

const packed = (...records: readonly Buffer[]) => zstdCompressSync(Buffer.concat(records)).toString('base64')

test('a damaged batch is refused', () => {
  const batch = toBatch(packEvents(events(Buffer.from('one'), Buffer.from('two'))), origin)
  const bytes = Buffer.from(batch.data, 'base64')
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1
  const cases: [change: Partial<Batch>, reason: RegExp][] = [
    [{ data: bytes.toString('base64') }, /checksum/i],
    [{ data: batch.data.slice(0, -8) }, /unexpected end/i],
    [{ data: zstdCompressSync(Buffer.alloc(maxBatchBytes + 1)).toString('base64') }, /larger than/i],
    [{ data: packed(record(3, 'one'), record(4, 'two')) }, /record at byte 15 of a batch of 30 does not fit/],
    [{ data: packed(record(-1, 'one')) }, /record at byte 0 of a batch of 15 does not fit/],
    [{ data: packed(record(3, 'one'), Buffer.alloc(11)) }, /record at byte 15 of a batch of 26 does not fit/],
    [{ data: packed() }, /no record/],
  ]
  for (const [change, reason] of cases) assert.throws(() => recordsOf({ ...batch, ...change }), reason)
  assert.deepEqual(recordsOf({ ...batch, data: packed(record(3, 'one')) }), [
    { offset: 7n, value: Buffer.from('one') },
  ])
})

test('only a batch with transactions has the version of one, so that an older function refuses it', () => {
  const parts = [{ count: 1, part: 'whole' as const }]
  const plain = toBatch(packEvents(events(Buffer.from('one'))), origin)
  const whole = toBatch(plain.data, origin, null, parts)
  assert.deepEqual([plain.version, plain.transactions], [3, undefined])
  assert.deepEqual([whole.version, whole.transactions], [4, parts])
  for (const batch of [plain, whole]) {
    assert.deepEqual(batchSchema.parse(JSON.parse(JSON.stringify(batch))), batch)
  }
  for (const [wrong, reason] of [
    [{ ...plain, transactions: parts }, 'the old version with transactions'],
    [{ ...whole, transactions: undefined }, 'the new version without transactions'],
    [{ ...whole, transactions: [] }, 'no transaction'],
    [{ ...whole, transactions: [{ count: 0, part: 'whole' }] }, 'an empty transaction'],
    [{ ...whole, transactions: [{ count: 1, part: 'half' }] }, 'an unknown part'],
    [{ ...plain, version: 5 }, 'an unknown version'],
  ] as const) {
    assert.equal(batchSchema.safeParse(wrong).success, false, reason)
  }
})

test('a batch is refused from its startBefore on', () => {
  const batch = toBatch(packEvents(events(Buffer.from('one'))), origin, 1_000)
  const late = { batchId: batch.batchId, acknowledgedThrough: null, refused: 'late' }
  const cases: [batch: Batch, now: number, answer: object | null][] = [
    [batch, 999, null],
    [batch, 1_000, late],
    [{ ...batch, startBefore: null }, 1_000, null],
  ]
  for (const [batch, now, answer] of cases) assert.deepEqual(refusal(batch, now), answer)
})
