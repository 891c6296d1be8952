import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { crc32, gzipSync } from 'node:zlib'
import { defaultBatchLimits, readBatches } from '../../../lib/kafka/batch.ts'

interface Old {
  readonly offset: number
  readonly value: Buffer | null
  readonly magic?: 0 | 1
  /** 0 none, 1 gzip, 4 zstd. */
  readonly codec?: number
  readonly extra?: Buffer
  /** Wrong lengths, instead of those that fit. */
  readonly keyLength?: number
  readonly valueLength?: number
}

function message({ offset, value, magic = 1, codec = 0, extra = Buffer.alloc(0), ...lie }: Old): Buffer {
  const timestamp = Buffer.alloc(magic === 1 ? 8 : 0)
  const lengths = Buffer.alloc(8)
  lengths.writeInt32BE(lie.keyLength ?? -1, 0)
  lengths.writeInt32BE(lie.valueLength ?? value?.length ?? -1, 4)
  const body = Buffer.concat([
    Buffer.from([magic, codec]),
    timestamp,
    lengths,
    value ?? Buffer.alloc(0),
    extra,
  ])
  const head = Buffer.alloc(16)
  head.writeBigInt64BE(BigInt(offset), 0)
  head.writeInt32BE(body.length + 4, 8)
  head.writeUInt32BE(crc32(body), 12)
  return Buffer.concat([head, body])
}

const value = Buffer.from('secret')
const wrap = (outer: number, magic: 0 | 1, ...inner: Buffer[]) =>
  message({ offset: outer, magic, codec: 1, value: gzipSync(Buffer.concat(inner)) })
const inner = (offset: number, magic: 0 | 1) => message({ offset, magic, value })

const offsets = (bytes: Buffer) => readBatches(bytes, 0n).records.map(({ offset }) => Number(offset))

test('the hand-written sets are valid', () => {
  assert.deepEqual(offsets(Buffer.concat([inner(4, 0), inner(6, 1)])), [4, 6])
  assert.deepEqual(offsets(wrap(11, 0, inner(9, 0), inner(11, 0))), [9, 11], 'absolute inner offsets')
  assert.deepEqual(offsets(wrap(11, 1, inner(0, 1), inner(2, 1))), [9, 11], 'relative inner offsets')
})

/** Read from offset 101: the offsets of the records, and the next offset. */
const placed: [reason: string, bytes: Buffer, offsets: number[], next: number][] = [
  [
    'magic 0 with the offsets of the producer',
    wrap(103, 0, inner(0, 0), inner(1, 0), inner(2, 0)),
    [101, 102, 103],
    104,
  ],
  ['magic 0 with a single message and its offset 0', wrap(103, 0, inner(0, 0)), [103], 104],
  [
    'magic 0 that begins before the requested offset',
    wrap(102, 0, inner(0, 0), inner(1, 0), inner(2, 0)),
    [101, 102],
    103,
  ],
  ['magic 0 with absolute offsets', wrap(103, 0, inner(100, 0), inner(103, 0)), [103], 104],
  [
    'magic 1 with relative offsets',
    wrap(103, 1, inner(0, 1), inner(1, 1), inner(2, 1)),
    [101, 102, 103],
    104,
  ],
  ['magic 1 with a single message', wrap(103, 1, inner(0, 1)), [103], 104],
  [
    'magic 1 whose first messages compaction removed',
    wrap(103, 1, inner(7, 1), inner(9, 1)),
    [101, 103],
    104,
  ],
  [
    'magic 1 with offsets that are one too low',
    wrap(103, 1, inner(100, 1), inner(101, 1), inner(102, 1)),
    [101, 102, 103],
    104,
  ],
]
for (const [reason, bytes, expected, next] of placed) {
  test(`a compressed set gives every record its offset: ${reason}`, () => {
    const slice = readBatches(bytes, 101n)
    assert.deepEqual(
      slice.records.map(({ offset }) => Number(offset)),
      expected,
    )
    assert.deepEqual([slice.nextOffset, slice.endsBatch], [BigInt(next), true])
  })
}

/** Read from offset 101. */
const misplaced: [reason: string, bytes: Buffer, message: RegExp][] = [
  [
    'inner offsets that are one too low',
    wrap(103, 0, inner(100, 0), inner(101, 0), inner(102, 0)),
    /inner offsets end at 102, the offset around them is 103, and they do not count from 0/,
  ],
  [
    'inner offsets that are one too high',
    wrap(103, 0, inner(102, 0), inner(103, 0), inner(104, 0)),
    /inner offsets end at 104/,
  ],
  ['offsets from 0 with a gap', wrap(103, 0, inner(0, 0), inner(2, 0)), /inner offsets end at 2/],
  ['offsets from 1', wrap(103, 0, inner(1, 0), inner(2, 0)), /inner offsets end at 2/],
  ['the same offset 0 in all', wrap(103, 0, inner(0, 0), inner(0, 0)), /inner offsets end at 0/],
  ['more messages than offsets', wrap(103, 1, inner(0, 1), inner(104, 1)), /inner offsets end at 104/],
  ['a compressed message without messages', wrap(103, 0), /holds no message/],
  [
    'a set with the producer’s own outer offset',
    wrap(2, 0, inner(0, 0), inner(1, 0), inner(2, 0)),
    /ends below the requested offset 101/,
  ],
  [
    'a set of magic 1 with the producer’s own outer offset',
    wrap(2, 1, inner(0, 1), inner(1, 1), inner(2, 1)),
    /ends below the requested offset 101/,
  ],
  ['a single message below the offset', inner(100, 0), /ends below the requested offset 101/],
  ['a single message of magic 1 below the offset', inner(100, 1), /ends below the requested offset 101/],
]
for (const [reason, bytes, message] of misplaced) {
  test(`a wrong offset is BATCH_CORRUPT and never skips a record: ${reason}`, () => {
    assert.throws(() => readBatches(bytes, 101n), { code: 'BATCH_CORRUPT', retryable: true, message })
    const good = readBatches(Buffer.concat([inner(101, 0), bytes]), 101n)
    assert.deepEqual([good.records.length, good.nextOffset, good.endsBatch], [1, 102n, true])
  })
}

test('a compressed set must not begin before the end of the batch before it', () => {
  const bytes = wrap(103, 0, inner(0, 0), inner(1, 0), inner(2, 0))
  assert.equal(readBatches(bytes, 102n).records.length, 2, 'no batch is known to end there')
  assert.throws(() => readBatches(bytes, 102n, defaultBatchLimits, [], true), {
    code: 'BATCH_CORRUPT',
    message: /inner offset 101 is not between 102 and 103/,
  })
})

test('a compressed set that the record limit cuts continues after its last record', () => {
  const bytes = wrap(103, 0, inner(0, 0), inner(1, 0), inner(2, 0))
  const limits = { ...defaultBatchLimits, maxRecords: 2 }
  const first = readBatches(bytes, 101n, limits)
  assert.deepEqual([first.records.length, first.nextOffset, first.endsBatch], [2, 103n, false])
  const second = readBatches(bytes, first.nextOffset, limits)
  assert.deepEqual([second.records.length, second.nextOffset, second.endsBatch], [1, 104n, true])
})

// The checksum is right, although the lengths do not fit.
const lies: [reason: string, lie: Partial<Old>][] = [
  ['a value of length -2', { valueLength: -2 }],
  ['a value one byte longer than the message', { valueLength: value.length + 1 }],
  ['a value of 2^31 - 1 bytes', { valueLength: 0x7fffffff }],
  ['a key of length -2', { keyLength: -2 }],
  ['a key up to the end, so that the length of the value is missing', { keyLength: 4 + value.length }],
  ['a key that leaves three bytes for the length of the value', { keyLength: 1 + value.length }],
]
for (const [reason, lie] of lies) {
  test(`refuses a message with ${reason}`, () => {
    for (const magic of [0, 1] as const) {
      assert.throws(() => readBatches(message({ offset: 5, value, magic, ...lie }), 0n), {
        code: 'BATCH_CORRUPT',
        message: /a field length of a message, -?\d+, does not fit/,
      })
    }
  })
}

test('limits apply to message sets', () => {
  const values = Array.from({ length: 10 }, (_, at) => randomBytes(at === 9 ? 60 : 50))
  const many = values.map((bytes, offset) => message({ offset, value: bytes }))
  const largest = many[9]?.length ?? 0
  const set = wrap(9, 1, ...many)
  const limited = (bytes: Buffer, limits: Partial<typeof defaultBatchLimits>) =>
    readBatches(bytes, 0n, { ...defaultBatchLimits, ...limits })
  assert.ok(set.length > largest, 'maxRecordBytes does not limit a compressed set')
  assert.equal(limited(set, { maxRecordBytes: largest }).records.length, 10)
  const tooLarge = { code: 'BATCH_TOO_LARGE', message: /limit \(maxRecordBytes\) is/ }
  assert.throws(() => limited(set, { maxRecordBytes: largest - 1 }), tooLarge)
  assert.equal(limited(many[9] as Buffer, { maxRecordBytes: largest }).records.length, 1)

  const bytes = Buffer.concat(many).length
  const two = Buffer.concat([set, wrap(19, 1, ...many)])
  const both = limited(two, { maxDecompressedBytes: 2 * bytes })
  assert.deepEqual([both.records.length, both.nextOffset], [20, 20n])
  const first = limited(two, { maxDecompressedBytes: 2 * bytes - 1 })
  assert.deepEqual([first.records.length, first.nextOffset], [10, 10n], 'both count against one limit')
})

const cut = inner(1, 1)
cut.writeInt32BE(cut.readInt32BE(8) + 10, 8)

const malformed: [bytes: Buffer, code: string, message: RegExp, reason: string][] = [
  [
    wrap(11, 0, inner(11, 0), inner(11, 0)),
    'BATCH_CORRUPT',
    /inner offset 11 is not between 12 and 11/,
    'the same offset twice',
  ],
  [
    wrap(11, 0, inner(12, 0), inner(11, 0)),
    'BATCH_CORRUPT',
    /inner offset 12 is not between/,
    'an offset above the wrapper',
  ],
  [
    wrap(1, 1, inner(0, 1), inner(5, 1)),
    'BATCH_CORRUPT',
    /inner offsets end at 5, the offset around them is 1/,
    'relative offsets that reach below 0',
  ],
  [wrap(5, 1, inner(5, 0)), 'BATCH_CORRUPT', /is of another format/, 'magic 0 inside magic 1'],
  [wrap(5, 1, wrap(5, 1, inner(0, 1))), 'BATCH_CORRUPT', /is of another format/, 'a set in a set'],
  [
    wrap(5, 1, cut),
    'BATCH_CORRUPT',
    /at decompressed byte 0 does not fit/,
    'an inner message longer than the set',
  ],
  [
    wrap(5, 1, inner(0, 1), cut.subarray(0, cut.length - 1)),
    'BATCH_CORRUPT',
    /at decompressed byte 40 does not fit/,
    'a second inner message longer than the set',
  ],
  [message({ offset: 1, value, codec: 5 }), 'PROTOCOL_UNSUPPORTED', /codec 5 in format/, 'an unknown codec'],
  [
    wrap(5, 1, inner(0, 1), Buffer.alloc(9)),
    'BATCH_CORRUPT',
    /does not fit/,
    'bytes after the inner messages',
  ],
  [
    message({ offset: 1, value: null, codec: 1 }),
    'BATCH_CORRUPT',
    /has no value/,
    'a wrapper without a value',
  ],
  [message({ offset: 1, value, codec: 4 }), 'PROTOCOL_UNSUPPORTED', /codec 4 in format \(magic\) 1/, 'zstd'],
  [
    message({ offset: 1, value, extra: value }),
    'BATCH_CORRUPT',
    /left after the value/,
    'bytes after the value',
  ],
  [
    message({ offset: 1, value: null, magic: 0 }).fill(0x7f, 18, 22),
    'BATCH_CORRUPT',
    /checksum/,
    'a changed length',
  ],
]

for (const [bytes, code, expected, reason] of malformed) {
  test(`refuses ${reason}`, () => {
    assert.throws(() => readBatches(bytes, 0n), { code, message: expected })
  })
}

test('the error for a refused set contains nothing of its contents', () => {
  assert.throws(
    () => readBatches(wrap(11, 0, inner(9, 0), inner(9, 0)), 0n),
    (error) => error instanceof Error && !error.message.includes('secret'),
  )
})

test('a damaged message after good ones ends the slice before it', () => {
  const bad = inner(5, 1)
  bad[bad.length - 1] = 0
  const slice = readBatches(Buffer.concat([inner(4, 1), bad]), 0n)
  assert.deepEqual([slice.records.length, slice.nextOffset], [1, 5n])
})
