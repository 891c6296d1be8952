import type { BatchFault } from './batch-fault.ts'

/**
 * Snappy, as Kafka carries it: either one raw block, or the framing of Java's "xerial" library.
 *
 *   framed => 0x82 "SNAPPY" 0x00, version int32, compatible version int32, [size int32, block]
 *   block  => length varint (of the decompressed data), [element]
 *
 * An element starts with a tag byte. Its two low bits distinguish a literal (0) from copies with an offset of
 * 11 bits (1), 16 bits (2) or 32 bits (3).
 *
 * We do not use snappyjs, the library in pure JavaScript. If a block yields less than it claims, snappyjs adds zeros. If
 * it yields more, snappyjs drops the rest. And snappyjs allocates claims that the block's size makes impossible.
 */
const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const xerialHeaderBytes = 16

/** The densest element is a copy: three bytes yield 64. A block that claims more is corrupt. */
const maxExpansion = 22

export function snappyDecompress(input: Buffer, maxBytes: number, fault: BatchFault): Buffer {
  const framed = input.length >= xerialHeaderBytes && xerialMagic.compare(input, 0, 8) === 0
  // We walk through the blocks twice and do not collect them: a hostile input holds millions of empty blocks.
  const blocks = () => (framed ? xerialBlocks(input, fault) : [readLength(input, 0, input.length, fault)])
  let total = 0
  for (const block of blocks()) total += block.length
  if (total > maxBytes) {
    throw fault('BATCH_TOO_LARGE', `decompresses to ${total} bytes, the limit is ${maxBytes}`)
  }
  const output = Buffer.allocUnsafe(total)
  let at = 0
  for (const block of blocks()) {
    decompressBlock(input, block, output, at, fault)
    at += block.length
  }
  return output
}

interface Block {
  /** The positions of the first element and of the end. */
  readonly start: number
  readonly end: number
  /** Of the decompressed data. */
  readonly length: number
}

function* xerialBlocks(input: Buffer, fault: BatchFault): Generator<Block> {
  for (let position = xerialHeaderBytes; position < input.length; ) {
    const size = input.length - position < 4 ? -1 : input.readInt32BE(position)
    const start = position + 4
    if (size < 1 || size > input.length - start) {
      throw fault('BATCH_CORRUPT', `snappy block at compressed byte ${position} does not fit its data`)
    }
    position = start + size
    yield readLength(input, start, position, fault)
  }
}

function readLength(input: Buffer, position: number, end: number, fault: BatchFault): Block {
  let length = 0
  for (let scale = 1, start = position; start < end && scale <= 2 ** 28; scale *= 128) {
    const byte = input[start++] as number
    length += (byte & 0x7f) * scale
    if (byte >= 0x80) continue
    if (length > (end - start) * maxExpansion) break
    return { start, end, length }
  }
  throw fault('BATCH_CORRUPT', `snappy block at compressed byte ${position} has no possible length`)
}

function decompressBlock(input: Buffer, block: Block, output: Buffer, from: number, fault: BatchFault): void {
  const { end } = block
  const outputEnd = from + block.length
  let read = block.start
  let write = from
  while (read < end) {
    const element = read
    const tag = input[read++] as number
    const kind = tag & 3
    let length = (tag >>> 2) + 1
    if (kind === 0) {
      if (length > 60) {
        const size = length - 60
        if (size > end - read)
          throw fault('BATCH_CORRUPT', `snappy data ends in an element at byte ${element}`)
        length = input.readUIntLE(read, size) + 1
        read += size
      }
      if (length > end - read || length > outputEnd - write) {
        throw fault('BATCH_CORRUPT', `snappy literal at compressed byte ${element} does not fit`)
      }
      input.copy(output, write, read, read + length)
      read += length
      write += length
      continue
    }
    const offsetBytes = kind === 3 ? 4 : kind
    if (offsetBytes > end - read) {
      throw fault('BATCH_CORRUPT', `snappy data ends in an element at byte ${element}`)
    }
    let offset = input.readUIntLE(read, offsetBytes)
    read += offsetBytes
    if (kind === 1) {
      length = ((tag >>> 2) & 7) + 4
      offset += (tag >>> 5) << 8
    }
    if (offset === 0 || offset > write - from || length > outputEnd - write) {
      throw fault('BATCH_CORRUPT', `snappy copy at compressed byte ${element} does not fit`)
    }
    for (const stop = write + length; write < stop; write++) output[write] = output[write - offset] as number
  }
  if (write !== outputEnd) {
    throw fault('BATCH_CORRUPT', `snappy block yields ${write - from} bytes and claims ${block.length}`)
  }
}
