import type { BatchFault } from './batch-fault.ts'

/**
 * One LZ4 frame, as Kafka carries it.
 *
 *   frame => magic uint32 0x184D2204, flags uint8, block size code uint8, [content size uint64],
 *            header checksum uint8, [block], end mark uint32 0, [content checksum uint32]
 *   block => size uint32 (highest bit: stored as it is), data, [block checksum uint32]
 *   data  => [token uint8, [literal length], literals, offset uint16, [match length]], all little-endian
 *
 * The decoder ignores these checksums: the batch's own checksum covers the same bytes, and clients of the oldest message
 * format compute the header checksum wrongly. It checks the structure at every step.
 *
 * We do not use lz4js, the library in pure JavaScript: it bounds neither reads nor matches, turns malformed blocks into
 * made-up bytes, and reports more output than there is.
 */
const magic = 0x184d2204
/** One length byte adds at most 255 bytes of output, so no block yields more than 255 times its size. */
const maxExpansion = 255
const minMatch = 4

export function lz4Decompress(input: Buffer, maxBytes: number, fault: BatchFault): Buffer {
  const frame = readHeader(input, fault)
  // We walk through the blocks twice and do not collect them: a hostile input holds millions of tiny blocks.
  let mostBytes = 0
  for (const { start, end, stored } of readBlocks(input, frame, fault)) {
    mostBytes += stored ? end - start : Math.min(frame.blockMaxBytes, (end - start) * maxExpansion)
  }
  // The most that the frame can yield, so that the output never grows. The decoder fails if it exceeds the limit.
  const output = Buffer.allocUnsafe(Math.min(mostBytes, maxBytes))
  let write = 0
  for (const { start, end, stored } of readBlocks(input, frame, fault)) {
    if (!stored) {
      write = decompressBlock(input, start, end, output, write, frame, maxBytes, fault)
      continue
    }
    if (end - start > output.length - write) throw tooLarge(maxBytes, fault)
    write += input.copy(output, write, start, end)
  }
  if (frame.contentSize !== null && frame.contentSize !== write) {
    throw fault('BATCH_CORRUPT', `lz4 frame yields ${write} bytes and claims ${frame.contentSize}`)
  }
  const result = output.subarray(0, write)
  // A view would keep a whole block in memory for a few bytes.
  return write < output.length / 2 ? Buffer.from(result) : result
}

const tooLarge = (maxBytes: number, fault: BatchFault) =>
  fault('BATCH_TOO_LARGE', `decompresses to more than the limit of ${maxBytes} bytes`)

interface Block {
  readonly start: number
  readonly end: number
  readonly stored: boolean
}

interface Frame {
  readonly firstBlock: number
  readonly blockMaxBytes: number
  readonly blockChecksumBytes: number
  readonly contentChecksumBytes: number
  /** Whether a match may refer to earlier blocks. */
  readonly linked: boolean
  readonly contentSize: number | null
}

function readHeader(input: Buffer, fault: BatchFault): Frame {
  if (input.length < 7 || input.readUInt32LE(0) !== magic) {
    throw fault('BATCH_CORRUPT', 'lz4 frame has no header')
  }
  const flags = input[4] as number
  const sizeCode = (input[5] as number) >>> 4
  if (flags >>> 6 !== 1 || (flags & 0x03) !== 0 || sizeCode < 4 || sizeCode > 7) {
    throw fault('BATCH_CORRUPT', 'lz4 frame is of an unknown version, or needs a dictionary')
  }
  const hasContentSize = (flags & 0x08) !== 0
  const firstBlock = hasContentSize ? 15 : 7
  if (firstBlock > input.length) throw fault('BATCH_CORRUPT', 'lz4 frame ends in its header')
  return {
    firstBlock,
    blockMaxBytes: 2 ** (8 + 2 * sizeCode),
    blockChecksumBytes: flags & 0x10 ? 4 : 0,
    contentChecksumBytes: flags & 0x04 ? 4 : 0,
    linked: (flags & 0x20) === 0,
    contentSize: hasContentSize ? Number(input.readBigUInt64LE(6)) : null,
  }
}

function* readBlocks(input: Buffer, frame: Frame, fault: BatchFault): Generator<Block> {
  for (let position = frame.firstBlock; ; ) {
    if (input.length - position < 4) throw fault('BATCH_CORRUPT', 'lz4 frame ends without an end mark')
    const word = input.readUInt32LE(position)
    const start = position + 4
    if (word === 0) {
      if (start + frame.contentChecksumBytes === input.length) return
      throw fault('BATCH_CORRUPT', `lz4 frame does not end where its data does, at compressed byte ${start}`)
    }
    const end = start + (word & 0x7fffffff)
    const next = end + frame.blockChecksumBytes
    if (end - start > frame.blockMaxBytes || next > input.length) {
      throw fault('BATCH_CORRUPT', `lz4 block at compressed byte ${position} does not fit its data`)
    }
    yield { start, end, stored: word > 0x7fffffff }
    position = next
  }
}

/** Returns the position in the output for the next block. */
function decompressBlock(
  input: Buffer,
  start: number,
  end: number,
  output: Buffer,
  from: number,
  frame: Frame,
  maxBytes: number,
  fault: BatchFault,
): number {
  const corrupt = (at: number) => fault('BATCH_CORRUPT', `lz4 sequence at compressed byte ${at} does not fit`)
  const blockEnd = from + frame.blockMaxBytes
  const oldest = frame.linked ? 0 : from
  let read = start
  let write = from

  // A length of 15 in the token continues in bytes of up to 255. The first smaller byte ends it.
  const longLength = (short: number): number => {
    let length = short
    if (short < 15) return length
    for (;;) {
      if (read >= end) throw corrupt(read)
      const byte = input[read++] as number
      length += byte
      if (byte !== 255) return length
    }
  }
  const claim = (length: number): void => {
    if (length > blockEnd - write) throw corrupt(read)
    if (length > output.length - write) throw tooLarge(maxBytes, fault)
  }

  for (;;) {
    if (read >= end) throw corrupt(read)
    const token = input[read++] as number
    const literals = longLength(token >>> 4)
    if (literals > end - read) throw corrupt(read)
    claim(literals)
    input.copy(output, write, read, read + literals)
    read += literals
    write += literals
    // Only the last sequence of a block has no match.
    if (read === end) return write

    if (end - read < 2) throw corrupt(read)
    const offset = (input[read] as number) | ((input[read + 1] as number) << 8)
    read += 2
    const length = longLength(token & 15) + minMatch
    if (offset === 0 || offset > write - oldest) throw corrupt(read)
    claim(length)
    for (const stop = write + length; write < stop; write++) output[write] = output[write - offset] as number
  }
}
