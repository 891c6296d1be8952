import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { DtsError } from '../../../lib/errors.ts'
import { batchFault } from '../../../lib/kafka/batch-fault.ts'
import { type Codec, decompress } from '../../../lib/kafka/compression.ts'

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/batches/${name}`, import.meta.url))
const sample = gunzipSync(fixture('sample.gz'))
const fault = batchFault(0, 7n)
const plenty = 2 ** 20

const compressed: [codec: Codec, name: string, what: string][] = [
  ['gzip', 'sample.gz', 'gzip'],
  ['snappy', 'sample-raw.snappy', 'a raw block of snappy'],
  ['snappy', 'sample-xerial.snappy', 'xerial blocks of snappy'],
  ['lz4', 'sample-linked.lz4', 'lz4 blocks that refer to earlier ones'],
  ['lz4', 'sample-checksums.lz4', 'lz4 with block checksums, content checksum and content size'],
  ['lz4', 'sample-4mib.lz4', 'one large block of lz4'],
  ['zstd', 'sample.zst', 'zstd'],
]

function rejects(codec: Codec, input: Buffer, maxBytes: number, code: string, why: string): void {
  assert.throws(
    () => decompress(codec, input, maxBytes, fault),
    (error) => {
      assert.ok(error instanceof DtsError, `${why}: ${error}`)
      assert.equal(error.code, code, why)
      assert.equal(error.retryable, code === 'BATCH_CORRUPT', why)
      assert.match(error.message, /^Record batch at byte 0, offset 7: /)
      return true
    },
    why,
  )
}

for (const [codec, name, what] of compressed) {
  test(`decompresses ${what} as the reference library wrote it`, () => {
    assert.ok(decompress(codec, fixture(name), plenty, fault).equals(sample))
  })

  test(`decompresses ${what} up to the limit and refuses one byte more`, () => {
    assert.equal(decompress(codec, fixture(name), sample.length, fault).length, sample.length)
    rejects(codec, fixture(name), sample.length - 1, 'BATCH_TOO_LARGE', 'one byte above the limit')
  })

  test(`never accepts the beginning of ${what} as the whole`, () => {
    const input = fixture(name)
    for (let length = 0; length < input.length; length += length < 64 ? 1 : 997) {
      let result: Buffer
      try {
        result = decompress(codec, input.subarray(0, length), plenty, fault)
      } catch (error) {
        assert.ok(error instanceof DtsError && error.code === 'BATCH_CORRUPT', `${length} bytes: ${error}`)
        continue
      }
      // This framing has no end mark. Cut between two blocks, it is valid and shorter.
      assert.ok(
        result.length < sample.length && sample.subarray(0, result.length).equals(result),
        `${length} bytes`,
      )
    }
  })
}

test('reads lz4 blocks that are stored uncompressed', () => {
  const noise = decompress('lz4', fixture('noise-stored.lz4'), plenty, fault)
  assert.equal(noise.length, 3000)
  assert.ok(sample.includes(noise))
})

test('accepts a wrong lz4 header checksum, as in the oldest message format', () => {
  const input = fixture('sample-4mib.lz4')
  input[6] = (input[6] ?? 0) ^ 0xff
  assert.ok(decompress('lz4', input, plenty, fault).equals(sample))
})

test('returns uncompressed data without a copy', () => {
  assert.equal(decompress('none', sample, 1, fault), sample)
})

const bytes = (...list: number[]) => Buffer.from(list)
const lz4Header = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]
const lz4 = (...block: number[]) =>
  bytes(...lz4Header, block.length & 0xff, block.length >> 8, 0, 0, ...block, 0, 0, 0, 0)

/** Valid data that decompresses to far more than its size: one byte, repeated. */
const MiB = 2 ** 20
const uint32 = (value: number) => {
  const four = Buffer.alloc(4)
  four.writeUInt32LE(value)
  return four
}

/** Blocks of 4 MiB: one literal, a match that repeats it, and five literals, which the format requires at a block's end. */
function lz4Bomb(mebibytes: number): Buffer {
  const repeats = 4 * MiB - 6
  const rest = repeats - 4 - 15
  const block = Buffer.concat([
    bytes(0x1f, 65, 1, 0),
    Buffer.alloc(Math.floor(rest / 255), 255),
    bytes(rest % 255, 0x50, 65, 65, 65, 65, 65),
  ])
  const blocks = Array<Buffer>(mebibytes / 4).fill(Buffer.concat([uint32(block.length), block]))
  return Buffer.concat([bytes(0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73), ...blocks, uint32(0)])
}

/** Stored blocks. The limit must apply to uncompressed data too. */
function lz4Stored(mebibytes: number): Buffer {
  const blocks = Array<Buffer>(mebibytes).fill(
    Buffer.concat([uint32(0x80000000 + MiB), Buffer.alloc(MiB, 65)]),
  )
  return Buffer.concat([bytes(0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73), ...blocks, uint32(0)])
}

/** A literal of one byte, then copies of 64 bytes, and the rest as a literal. */
function snappyBlock(size: number): Buffer {
  const length: number[] = []
  for (let left = size; ; left >>>= 7) {
    length.push(left > 127 ? (left & 127) | 128 : left)
    if (left <= 127) break
  }
  const copies = Math.floor((size - 1) / 64)
  const rest = size - 1 - 64 * copies
  return Buffer.concat([
    bytes(...length, 0, 65),
    Buffer.alloc(3 * copies, bytes(0xfe, 1, 0)),
    rest === 0 ? bytes() : bytes(0xf0, rest - 1, ...Array<number>(rest).fill(65)),
  ])
}

function xerialBomb(mebibytes: number): Buffer {
  const block = snappyBlock(32 * 1024)
  const size = Buffer.alloc(4)
  size.writeInt32BE(block.length)
  const header = bytes(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1)
  return Buffer.concat([header, ...Array<Buffer>(mebibytes * 32).fill(Buffer.concat([size, block]))])
}

const full = Buffer.alloc(64 * MiB, 65)
const half = full.subarray(0, 32 * MiB)
const bombs: [what: string, codec: Codec, input: Buffer][] = [
  ['gzip', 'gzip', gzipSync(full)],
  ['gzip in two members', 'gzip', Buffer.concat([gzipSync(half), gzipSync(half)])],
  ['zstd', 'zstd', zstdCompressSync(full)],
  ['a raw block of snappy', 'snappy', snappyBlock(full.length)],
  ['xerial blocks of snappy', 'snappy', xerialBomb(64)],
  ['lz4', 'lz4', lz4Bomb(64)],
  ['lz4 blocks that are stored', 'lz4', lz4Stored(64)],
]
for (const [what, codec, input] of bombs) {
  test(`a valid bomb of ${what} is refused above the limit`, () => {
    assert.ok(decompress(codec, input, full.length, fault).equals(full), 'with enough room')
    for (const limit of [full.length - 1, MiB, 1]) {
      rejects(codec, input, limit, 'BATCH_TOO_LARGE', `a limit of ${limit} bytes`)
    }
  })
}

const hostile: [codec: Codec, input: Buffer, code: string, reason: string][] = [
  ['gzip', bytes(1, 2, 3), 'BATCH_CORRUPT', 'not gzip'],
  ['gzip', gzipSync(Buffer.alloc(64 * plenty)), 'BATCH_TOO_LARGE', 'a bomb of gzip'],
  ['zstd', bytes(1, 2, 3, 4, 5), 'BATCH_CORRUPT', 'not zstd'],
  ['zstd', zstdCompressSync(Buffer.alloc(64 * plenty)), 'BATCH_TOO_LARGE', 'a bomb of zstd'],
  ['zstd', Buffer.concat([zstdCompressSync(sample), bytes(1)]), 'BATCH_CORRUPT', 'a byte after the frame'],
  [
    'zstd',
    Buffer.concat([zstdCompressSync(sample), zstdCompressSync(sample)]),
    'BATCH_CORRUPT',
    'a second frame, which Node would drop silently',
  ],
  // Magic, descriptor without a content size, window descriptor of 2^27 bytes, an empty last block.
  ['zstd', bytes(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 1, 0, 0), 'BATCH_TOO_LARGE', 'a window of 128 MiB'],
  ['snappy', bytes(), 'BATCH_CORRUPT', 'no length'],
  ['snappy', bytes(0xff, 0xff, 0xff, 0xff, 0x0f, 0), 'BATCH_CORRUPT', 'a length of 4 GiB in six bytes'],
  ['snappy', bytes(0x80, 0x80, 0x80, 0x80, 0x80, 0x01), 'BATCH_CORRUPT', 'a length of six bytes'],
  ['snappy', bytes(4, 0x0c, 1, 2), 'BATCH_CORRUPT', 'a literal longer than the data'],
  ['snappy', bytes(1, 0x0c, 1, 2, 3, 4), 'BATCH_CORRUPT', 'a literal longer than the length claimed'],
  ['snappy', bytes(4, 0xfc, 0xff, 0xff, 0xff, 0xff), 'BATCH_CORRUPT', 'a literal of 4 GiB'],
  ['snappy', bytes(5, 0x00, 65, 0x01, 2), 'BATCH_CORRUPT', 'a copy from before the start'],
  ['snappy', bytes(5, 0x00, 65, 0x01, 0), 'BATCH_CORRUPT', 'a copy at distance 0'],
  ['snappy', bytes(4, 0x00, 65, 0x01, 1), 'BATCH_CORRUPT', 'a copy beyond the length claimed'],
  ['snappy', bytes(9, 0x00, 65, 0x01, 1), 'BATCH_CORRUPT', 'less than the length claimed'],
  ['snappy', bytes(5, 0x00, 65, 0x02, 1), 'BATCH_CORRUPT', 'a copy that is cut off'],
  ['lz4', lz4(0xf0, 0xff, 0xff), 'BATCH_CORRUPT', 'a length that never ends'],
  ['lz4', lz4(0x10, 65, 2, 0, 0x00), 'BATCH_CORRUPT', 'a match from before the start'],
  ['lz4', lz4(0x10, 65, 0, 0, 0x00), 'BATCH_CORRUPT', 'a match at distance 0'],
  ['lz4', lz4(0x10, 65, 1, 0), 'BATCH_CORRUPT', 'a block that ends in a match'],
  ['lz4', lz4(0x20, 65), 'BATCH_CORRUPT', 'fewer literals than claimed'],
  [
    'lz4',
    lz4(0x1f, 65, 1, 0, ...Array(300).fill(255), 0, 0x00),
    'BATCH_CORRUPT',
    'a block above its largest size',
  ],
  ['lz4', bytes(...lz4Header, 0xff, 0xff, 0xff, 0x7f), 'BATCH_CORRUPT', 'a block of 2 GiB'],
  ['lz4', bytes(...lz4Header, 0, 0, 0, 0, 9), 'BATCH_CORRUPT', 'bytes after the end'],
  ['lz4', bytes(0x04, 0x22, 0x4d, 0x18, 0x61, 0x40, 0x82, 0, 0, 0, 0), 'BATCH_CORRUPT', 'a dictionary'],
]

for (const [codec, input, code, reason] of hostile) {
  test(`${codec} refuses ${reason}`, () => rejects(codec, input, plenty, code, reason))
}

test('independent lz4 blocks must not refer to earlier ones', () => {
  const first = [2, 0, 0, 0, 0x10, 65]
  const second = [5, 0, 0, 0, 0x00, 1, 0, 0x10, 66]
  const frame = (flags: number) =>
    bytes(0x04, 0x22, 0x4d, 0x18, flags, 0x40, 0, ...first, ...second, 0, 0, 0, 0)
  assert.equal(decompress('lz4', frame(0x40), plenty, fault).toString(), 'AAAAAB')
  rejects('lz4', frame(0x60), plenty, 'BATCH_CORRUPT', 'independent blocks')
})
