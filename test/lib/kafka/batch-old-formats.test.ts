import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32, gzipSync } from 'node:zlib'
import { readBatches } from '../../../lib/kafka/batch.ts'

interface Old {
  readonly offset: number
  readonly value: Buffer | null
  readonly magic?: 0 | 1
  /** 0 none, 1 gzip, 4 zstd. */
  readonly codec?: number
  readonly extra?: Buffer
}

function message({ offset, value, magic = 1, codec = 0, extra = Buffer.alloc(0) }: Old): Buffer {
  const timestamp = Buffer.alloc(magic === 1 ? 8 : 0)
  const lengths = Buffer.alloc(8)
  lengths.writeInt32BE(-1, 0)
  lengths.writeInt32BE(value?.length ?? -1, 4)
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

test('the hand-written sets are right as they stand', () => {
  assert.deepEqual(offsets(Buffer.concat([inner(4, 0), inner(6, 1)])), [4, 6])
  assert.deepEqual(offsets(wrap(11, 0, inner(9, 0), inner(11, 0))), [9, 11], 'absolute inner offsets')
  assert.deepEqual(offsets(wrap(11, 1, inner(0, 1), inner(2, 1))), [9, 11], 'relative inner offsets')
})

const cut = inner(1, 1)
cut.writeInt32BE(cut.readInt32BE(8) + 100, 8)

const malformed: [bytes: Buffer, code: string, message: RegExp, reason: string][] = [
  [
    wrap(11, 0, inner(9, 0), inner(9, 0)),
    'BATCH_CORRUPT',
    /inner offset 9 is not between 10 and 11/,
    'the same offset twice',
  ],
  [
    wrap(11, 0, inner(9, 0), inner(12, 0)),
    'BATCH_CORRUPT',
    /inner offset 12 is not between/,
    'an offset above the wrapper',
  ],
  [
    wrap(1, 1, inner(0, 1), inner(5, 1)),
    'BATCH_CORRUPT',
    /inner offset -4 is not between 0 and 1/,
    'a negative offset',
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
    wrap(5, 1, inner(0, 1), Buffer.alloc(9)),
    'BATCH_CORRUPT',
    /does not fit/,
    'bytes behind the inner messages',
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
    /left behind the value/,
    'bytes behind the value',
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

test('a set that is refused says nothing of its contents', () => {
  assert.throws(
    () => readBatches(wrap(11, 0, inner(9, 0), inner(9, 0)), 0n),
    (error) => error instanceof Error && !error.message.includes('secret'),
  )
})

test('a damaged message behind good ones ends the slice in front of it', () => {
  const bad = inner(5, 1)
  bad[bad.length - 1] = 0
  const slice = readBatches(Buffer.concat([inner(4, 1), bad]), 0n)
  assert.deepEqual([slice.records.length, slice.nextOffset], [1, 5n])
})
