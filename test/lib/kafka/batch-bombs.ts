/**
 * A program for a child process with a small heap. It reads batches that decompress to far more than their size, with the
 * default limits. It prints how each read ended and by how much the process grew.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { DtsError } from '../../../lib/errors.ts'
import { readBatches } from '../../../lib/kafka/batch.ts'
import { crc32c } from '../../../lib/kafka/crc32c.ts'

const MiB = 2 ** 20

function batch(codec: number, count: number, body: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(61), body])
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt8(2, 16)
  bytes.writeInt16BE(codec, 21)
  bytes.writeInt32BE(0x7ffffffe, 23)
  bytes.writeInt32BE(count, 57)
  bytes.writeUInt32BE(crc32c(bytes, 21), 17)
  return bytes
}

function tinyRecords(count: number): Buffer {
  const bytes = Buffer.alloc(count * 12)
  let end = 0
  for (let delta = 0; delta < count; delta++) {
    const varint: number[] = []
    for (let rest = delta * 2; ; rest >>>= 7) {
      varint.push(rest > 127 ? (rest & 127) | 128 : rest)
      if (rest <= 127) break
    }
    for (const byte of [(5 + varint.length) * 2, 0, 0, ...varint, 1, 1, 0]) bytes[end++] = byte
  }
  return bytes.subarray(0, end)
}

const length = batch(0, 1, Buffer.alloc(100))
length.writeInt32BE(0x7fffffff, 8)

const hugeSnappy = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x41])
const xerialHeader = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
// Six million empty blocks (size 1, length 0). They yield no records.
const xerial = Buffer.concat([xerialHeader, Buffer.alloc(30 * MiB, Buffer.from([0, 0, 0, 1, 0]))])

const lz4Block = Buffer.concat([
  Buffer.from([0x1f, 0x41, 1, 0]),
  Buffer.alloc(16_000, 255),
  Buffer.from([0, 0x10, 0x41]),
])
// A valid block of 200 MiB: a literal, then copies of 64 bytes.
const validSnappy = Buffer.concat([
  Buffer.from([0x81, 0x80, 0x80, 0x64, 0x00, 0x41]),
  Buffer.alloc(3 * ((200 * MiB) / 64), Buffer.from([0xfe, 1, 0])),
])

const lz4Size = Buffer.alloc(4)
lz4Size.writeUInt32LE(lz4Block.length)
const lz4 = Buffer.concat([
  Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73]),
  ...Array(100).fill(Buffer.concat([lz4Size, lz4Block])),
  Buffer.alloc(4),
])

const batches = {
  length,
  gzip: batch(1, 1, gzipSync(Buffer.alloc(200 * MiB), { level: 1 })),
  zstd: batch(4, 1, zstdCompressSync(Buffer.alloc(200 * MiB))),
  snappy: batch(2, 1, hugeSnappy),
  validSnappy: batch(2, 1, validSnappy),
  xerial: batch(2, 1, xerial),
  lz4: batch(3, 1, lz4),
  tiny: batch(0, 1_000_000, tinyRecords(1_000_000)),
}

const before = process.resourceUsage().maxRSS
const outcome: Record<string, string | number> = {}
for (const [name, bytes] of Object.entries(batches)) {
  try {
    outcome[name] = `slice of ${readBatches(bytes, 0n).records.length}`
  } catch (error) {
    outcome[name] = error instanceof DtsError ? error.code : String(error)
  }
}
outcome.grownBytes = (process.resourceUsage().maxRSS - before) * 1024
console.log(JSON.stringify(outcome))
