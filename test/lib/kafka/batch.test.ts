import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { DtsError } from '../../../lib/errors.ts'
import { defaultBatchLimits, readBatches } from '../../../lib/kafka/batch.ts'
import { crc32c } from '../../../lib/kafka/crc32c.ts'
import type { LogSlice } from '../../../lib/kafka/log-slice.ts'
import { encodeBatch, gzip } from '../../support/kafkajs-batches.ts'

const folder = new URL('../../fixtures/batches/', import.meta.url)
const fixture = (name: string) => readFileSync(new URL(`${name}.bin`, folder))

type Expected = [offset: string, length: number, crc: number]
const golden = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as {
  name: string
  nextOffset: string
  records: Expected[]
}[]

/** Gives a changed batch the right checksum, so that the change reaches the code after the check. */
function sign(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch, 21), 17)
  return batch
}

const offsets = (bytes: Buffer, from: bigint, limits = defaultBatchLimits) =>
  readBatches(bytes, from, limits).records.map((record) => Number(record.offset))

/** A broker's answer: it begins with the batch that holds the requested offset. */
function answerFrom(log: Buffer, from: bigint): Buffer {
  for (let at = 0; at < log.length; at += log.readInt32BE(at + 8) + 12) {
    const lastDelta = log[at + 16] === 2 ? log.readInt32BE(at + 23) : 0
    if (log.readBigInt64BE(at) + BigInt(lastDelta) >= from) return log.subarray(at)
  }
  return Buffer.alloc(0)
}

/** A slice with its records as a list. */
const plain = ({ records, ...rest }: LogSlice) => ({ ...rest, records: [...records] })

const text = (...values: string[]) => values.map((value) => Buffer.from(value))

test('every batch file that Kafka wrote has an expectation', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.bin'))
  assert.deepEqual(files.sort(), golden.map(({ name }) => `${name}.bin`).sort())
})

for (const { name, nextOffset, records } of golden) {
  test(`reads ${name} as Kafka's own classes do`, () => {
    const slice = readBatches(fixture(name), 0n)
    const found = slice.records.map(({ offset, value }): Expected => {
      return [String(offset), value?.length ?? -1, crc32(value ?? Buffer.alloc(0))]
    })
    assert.deepEqual(found, records)
    assert.deepEqual([slice.nextOffset, slice.neededBytes], [BigInt(nextOffset), null])
  })

  test(`reads ${name} from each of its offsets`, () => {
    for (const [index, [offset]] of records.entries()) {
      const slice = readBatches(answerFrom(fixture(name), BigInt(offset) + 1n), BigInt(offset) + 1n)
      assert.deepEqual(
        slice.records.map((record) => String(record.offset)),
        records.slice(index + 1).map(([later]) => later),
      )
      const next = BigInt(nextOffset) > BigInt(offset) ? BigInt(nextOffset) : BigInt(offset) + 1n
      assert.equal(slice.nextOffset, next)
    }
  })

  test(`reads ${name} in slices of one record, without loss or repetition`, () => {
    const found: string[] = []
    const bytes = fixture(name)
    let from = 0n
    for (let slices = 0; from < BigInt(nextOffset); slices++) {
      const slice = readBatches(answerFrom(bytes, from), from, { ...defaultBatchLimits, maxRecords: 1 })
      assert.ok(slice.nextOffset > from && slices <= records.length, `offset ${from}`)
      found.push(...slice.records.map((record) => String(record.offset)))
      from = slice.nextOffset
    }
    assert.deepEqual(
      found,
      records.map(([offset]) => offset),
    )
  })
}

test('a value is a view on the response', async () => {
  const bytes = await encodeBatch({ baseOffset: 0n, values: text('a view') })
  const value = readBatches(bytes, 0n).records.at(0)?.value
  assert.ok(value)
  assert.equal(value.toString(), 'a view')
  bytes.set(Buffer.from('A VIEW'), bytes.indexOf('a view'))
  assert.equal(value.toString(), 'A VIEW')
})

test('offsets above 2^53 are exact', async () => {
  const bytes = await encodeBatch({ baseOffset: 2n ** 62n + 1n, values: text('a', 'b') })
  assert.deepEqual(
    readBatches(bytes, 2n ** 62n + 1n).records.map(({ offset }) => offset),
    [2n ** 62n + 1n, 2n ** 62n + 2n],
  )
})

test('a batch that compaction emptied moves the next offset', async () => {
  const bytes = await encodeBatch({ baseOffset: 10n, values: [], lastOffsetDelta: 4 })
  assert.deepEqual(plain(readBatches(bytes, 10n)), {
    records: [],
    nextOffset: 15n,
    neededBytes: null,
    endsBatch: true,
  })
})

test('a control batch alone moves the next offset', () => {
  const bytes = fixture('magic2-transaction')
  const marker = bytes.subarray(bytes.readInt32BE(8) + 12)
  const whole = marker.subarray(0, marker.readInt32BE(8) + 12)
  assert.deepEqual(plain(readBatches(whole, 41n)), {
    records: [],
    nextOffset: 42n,
    neededBytes: null,
    endsBatch: true,
  })
})

test('an answer without batches does not move the next offset', () => {
  assert.deepEqual(plain(readBatches(Buffer.alloc(0), 9n)), {
    records: [],
    nextOffset: 9n,
    neededBytes: null,
    endsBatch: false,
  })
})

test('a batch that ends below the requested offset is BATCH_CORRUPT and never skipped', async () => {
  // As a producer sends it. The broker has to replace the base offset, which no checksum covers.
  const unplaced = await encodeBatch({ baseOffset: 0n, values: text('secret', 'b', 'c') })
  const next = await encodeBatch({ baseOffset: 104n, values: text('d') })
  const control = fixture('magic2-transaction')
  const marker = control.subarray(control.readInt32BE(8) + 12)
  const emptied = await encodeBatch({ baseOffset: 0n, values: [], lastOffsetDelta: 4 })
  const packed = await encodeBatch({ baseOffset: 0n, values: text('a'), compression: gzip })
  for (const [bytes, reason] of [
    [unplaced, 'alone'],
    [Buffer.concat([unplaced, next]), 'before a good one'],
    [await encodeBatch({ baseOffset: 100n, values: text('a') }), 'just below the offset'],
    [packed, 'compressed'],
    [emptied, 'without records'],
    [marker, 'of control records'],
  ] as const) {
    assert.throws(
      () => readBatches(bytes, 101n),
      { code: 'BATCH_CORRUPT', retryable: true, message: /ends below the requested offset 101/ },
      reason,
    )
  }
})

test('a batch may begin below the requested offset unless a batch is known to end there', async () => {
  const bytes = await encodeBatch({ baseOffset: 0n, values: text('a', 'b', 'c', 'd') })
  assert.deepEqual(offsets(bytes, 2n), [2, 3], 'a fetch from within a batch')
  assert.throws(() => readBatches(bytes, 2n, defaultBatchLimits, [], true), {
    code: 'BATCH_CORRUPT',
    message: /starts below 2, where the batch before it ends/,
  })
  const next = await encodeBatch({ baseOffset: 2n, values: text('c', 'd') })
  assert.equal(readBatches(next, 2n, defaultBatchLimits, [], true).records.length, 2)
})

test('a slice says whether a batch ends at its next offset', async () => {
  const bytes = await encodeBatch({ baseOffset: 0n, values: text('a', 'b') })
  const limited = (maxRecords: number) => readBatches(bytes, 0n, { ...defaultBatchLimits, maxRecords })
  assert.deepEqual([limited(1).nextOffset, limited(1).endsBatch], [1n, false])
  assert.deepEqual([limited(2).nextOffset, limited(2).endsBatch], [2n, true])
  const cut = Buffer.concat([bytes, bytes.subarray(0, 30)])
  assert.deepEqual([readBatches(cut, 0n).nextOffset, readBatches(cut, 0n).endsBatch], [2n, true])
  assert.equal(readBatches(bytes.subarray(0, 30), 0n).endsBatch, false, 'no batch was whole')
})

function refuses(bytes: Buffer, code: string, message: RegExp, limits = defaultBatchLimits): void {
  assert.throws(
    () => readBatches(bytes, 0n, limits),
    (error) => {
      assert.ok(error instanceof DtsError, String(error))
      assert.equal(error.code, code)
      assert.equal(error.retryable, code === 'BATCH_CORRUPT')
      assert.match(error.message, message)
      assert.doesNotMatch(error.message, /secret/)
      return true
    },
  )
}

test('a damaged batch after a good one ends the slice before it, and is refused by the next read', async () => {
  const good = await encodeBatch({ baseOffset: 0n, values: text('a', 'b') })
  const bad = await encodeBatch({ baseOffset: 2n, values: text('secret', 'secret') })
  bad[80] = (bad[80] ?? 0) ^ 1
  const slice = readBatches(Buffer.concat([good, bad]), 0n)
  assert.deepEqual([slice.records.length, slice.nextOffset, slice.neededBytes], [2, 2n, null])
  refuses(
    bad,
    'BATCH_CORRUPT',
    /^Record batch at byte 0, offset 2: checksum is 0x[0-9a-f]{8} and should be 0x/,
  )
})

test('a batch with a damaged last record yields no record', async () => {
  const good = await encodeBatch({ baseOffset: 0n, values: text('a') })
  const bad = await encodeBatch({ baseOffset: 1n, values: text('b', 'c'), lastOffsetDelta: 0 })
  const slice = readBatches(Buffer.concat([good, bad]), 0n)
  assert.deepEqual([slice.records.length, slice.nextOffset], [1, 1n])
})

test('batches whose offsets do not rise are refused', async () => {
  const first = await encodeBatch({ baseOffset: 5n, values: text('a', 'b') })
  const overlapping = await encodeBatch({ baseOffset: 6n, values: text('c', 'd') })
  const slice = readBatches(Buffer.concat([first, overlapping]), 0n)
  assert.deepEqual([slice.records.length, slice.nextOffset], [2, 7n])
  assert.throws(() => readBatches(overlapping, 7n, defaultBatchLimits, [], true), {
    code: 'BATCH_CORRUPT',
    message: /starts below 7, where the batch before it ends/,
  })
})

const records = (...bytes: number[]) => Buffer.from(bytes)
const header = (await encodeBatch({ baseOffset: 0n, values: [] })).subarray(0, 61)

/** A batch with a right checksum around records that are written by hand. */
function batchOf(count: number, body: Buffer, change: (batch: Buffer) => void = () => {}): Buffer {
  const batch = Buffer.concat([header, body])
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt32BE(1, 23)
  batch.writeInt32BE(count, 57)
  change(batch)
  return sign(batch)
}

// length 6, attributes, timestamp delta 0, offset delta 0, null key, null value, no headers
const plainRecord = [12, 0, 0, 0, 1, 1, 0]

test('the hand-written record is valid', () => {
  const slice = readBatches(batchOf(1, records(...plainRecord)), 0n)
  assert.deepEqual(
    slice.records.map(({ offset, value }) => [offset, value]),
    [[0n, null]],
  )
  assert.equal(slice.nextOffset, 2n)
})

const malformed: [bytes: Buffer, message: RegExp, reason: string][] = [
  [batchOf(2, records(...plainRecord)), /2 records do not fit 7 bytes/, 'more records than bytes'],
  [batchOf(0x7fffffff, records(...plainRecord)), /2147483647 records do not fit/, '2^31 - 1 records'],
  [batchOf(-1, records(...plainRecord)), /-1 records do not fit/, 'a negative count'],
  [batchOf(0, records(...plainRecord)), /7 bytes are left after its 0 records/, 'bytes after the records'],
  [
    batchOf(2, records(...plainRecord, ...plainRecord)),
    /offset delta 0, after 0 of 1/,
    'offsets that do not rise',
  ],
  [batchOf(1, records(12, 0, 0, 1, 1, 1, 0)), /offset delta -1/, 'an offset below the batch'],
  [batchOf(1, records(12, 0, 0, 4, 1, 1, 0)), /offset delta 2, after -1 of 1/, 'an offset above the batch'],
  [batchOf(1, records(0, ...plainRecord)), /record length 0 does not fit/, 'an empty record'],
  [batchOf(1, records(11, ...plainRecord)), /record length -6 does not fit/, 'a negative record length'],
  [
    batchOf(1, records(14, 0, 0, 0, 1, 1, 0)),
    /record length 7 does not fit/,
    'a record longer than the batch',
  ],
  [batchOf(1, records(254, 255, 255, 255, 15, 0, 0)), /record length 2147483647/, 'a record of 2^31 bytes'],
  [
    batchOf(1, records(255, 255, 255, 255, 31, 0, 0)),
    /varint .* more than 32 bits/,
    'a length above 32 bits',
  ],
  [
    batchOf(1, records(128, 128, 128, 128, 128, 0, 0)),
    /varint .* more than 32 bits/,
    'a varint of six bytes',
  ],
  [batchOf(1, records(12, 0, 0, 0, 3, 1, 0)), /length -2 does not fit/, 'a key of length -2'],
  [batchOf(1, records(12, 0, 0, 0, 1, 100, 0)), /length 50 does not fit/, 'a value longer than the record'],
  [batchOf(1, records(12, 0, 0, 0, 1, 1, 1)), /header count -1/, 'a negative header count'],
  [batchOf(1, records(12, 0, 0, 0, 1, 1, 254)), /end inside a field/, 'a header count that is cut off'],
  [batchOf(1, records(16, 0, 0, 0, 1, 1, 2, 1, 1)), /header key length -1/, 'a header without a key'],
  [batchOf(1, records(14, 0, 0, 0, 1, 1, 0, 0)), /record end/, 'bytes after the headers'],
  [
    batchOf(1, records(...plainRecord), (batch) => batch.writeInt32BE(-1, 23)),
    /last offset delta -1/,
    'a negative extent',
  ],
  [
    batchOf(1, records(...plainRecord), (batch) => batch.writeBigInt64BE(2n ** 63n - 1n, 0)),
    /last offset delta 1 is not possible/,
    'an end beyond 64 bits',
  ],
  [
    batchOf(1, records(...plainRecord), (batch) => batch.writeBigInt64BE(-1n, 0)),
    /cannot be a batch/,
    'offset -1',
  ],
  [
    batchOf(1, records(...plainRecord), (batch) => batch.writeInt8(3, 16)),
    /format \(magic\) 3/,
    'a newer format',
  ],
  [
    batchOf(1, records(...plainRecord), (batch) => batch.writeInt32BE(-1, 8)),
    /11 bytes of format/,
    'a negative length',
  ],
  [
    batchOf(1, records(...plainRecord), (batch) => batch.writeInt32BE(48, 8)),
    /60 bytes of format/,
    'a length below a header',
  ],
]

for (const [bytes, message, reason] of malformed) {
  test(`refuses ${reason}`, () => refuses(bytes, 'BATCH_CORRUPT', message))
}

test('a timestamp delta has at most ten bytes', () => {
  const long = records(30, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 1, 1, 0)
  assert.equal(readBatches(batchOf(1, long), 0n).records.length, 1)
  const longer = records(32, 0, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0, 0, 1, 1, 0)
  refuses(batchOf(1, longer), 'BATCH_CORRUPT', /more than 64 bits/)
  const wider = records(30, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2, 0, 1, 1, 0)
  refuses(batchOf(1, wider), 'BATCH_CORRUPT', /more than 64 bits/)
})

test('the error for an unknown codec names the codec', () => {
  const bytes = batchOf(1, records(...plainRecord), (batch) => batch.writeInt16BE(5, 21))
  refuses(bytes, 'PROTOCOL_UNSUPPORTED', /codec 5 is unknown/)
})

test('the slice of a batch that is cut off says how many bytes it needs', async () => {
  const bytes = await encodeBatch({ baseOffset: 0n, values: text('a', 'b') })
  assert.equal(readBatches(bytes.subarray(0, 40), 0n).neededBytes, bytes.length)
  const next = await encodeBatch({ baseOffset: 2n, values: text('c') })
  const both = Buffer.concat([bytes, next])
  assert.equal(readBatches(both.subarray(0, both.length - 1), 0n).neededBytes, null, 'progress was made')
  assert.equal(readBatches(next.subarray(0, next.length - 1), 2n).neededBytes, next.length)
})

test('limits of one slice', async (t) => {
  const values = text('a'.repeat(5_000), 'b'.repeat(5_000))
  const bytes = await encodeBatch({ baseOffset: 0n, values })
  const packed = await encodeBatch({ baseOffset: 0n, values, compression: gzip })
  await t.test('a batch above maxBatchBytes is refused', () => {
    refuses(bytes, 'BATCH_TOO_LARGE', /maxBatchBytes/, {
      ...defaultBatchLimits,
      maxBatchBytes: bytes.length - 1,
    })
    assert.equal(offsets(bytes, 0n, { ...defaultBatchLimits, maxBatchBytes: bytes.length }).length, 2)
  })
  await t.test('a batch above maxBatchBytes is refused before it is whole', () => {
    const cut = Buffer.from(bytes.subarray(0, 100))
    cut.writeInt32BE(0x7fffffff, 8)
    refuses(cut, 'BATCH_TOO_LARGE', /maxBatchBytes/)
  })
  await t.test('a record above maxRecordBytes is refused', () => {
    refuses(bytes, 'BATCH_TOO_LARGE', /a record of 50\d\d bytes/, {
      ...defaultBatchLimits,
      maxRecordBytes: 5_000,
    })
    const old = { ...defaultBatchLimits, maxRecordBytes: 100 }
    refuses(fixture('magic1-none').subarray(22 + 12), 'BATCH_TOO_LARGE', /maxRecordBytes/, old)
  })
  await t.test('a batch that decompresses to more than maxDecompressedBytes is refused', () => {
    refuses(packed, 'BATCH_TOO_LARGE', /gzip/, { ...defaultBatchLimits, maxDecompressedBytes: 10_000 })
  })
  await t.test('maxDecompressedBytes ends a slice, and the next slice continues', async () => {
    const second = await encodeBatch({ baseOffset: 2n, values, compression: gzip })
    const limits = { ...defaultBatchLimits, maxDecompressedBytes: 15_000 }
    assert.deepEqual(offsets(Buffer.concat([packed, second]), 0n, limits), [0, 1])
    assert.deepEqual(offsets(second, 2n, limits), [2, 3])
  })
})
