import { constants, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { DtsError } from '../errors.ts'
import type { BatchFault } from './batch-fault.ts'
import { lz4Decompress } from './lz4.ts'
import { snappyDecompress } from './snappy.ts'

/** The compression codecs of Kafka, by the number in the three low bits of a batch's attributes. */
export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = (typeof codecs)[number]

/** zlib allocates its output in pieces of this size, the first of them before it has read a byte. */
const chunkBytes = (input: Buffer): number => Math.min(256 * 1024, Math.max(1024, input.length * 4))

/**
 * Decompresses `input` as a whole, without ever holding more than `maxBytes` of output: more is
 * BATCH_TOO_LARGE, data that the codec cannot read is BATCH_CORRUPT. For `none` the result is `input`.
 */
export function decompress(codec: Codec, input: Buffer, maxBytes: number, fault: BatchFault): Buffer {
  switch (codec) {
    case 'none':
      return input
    case 'gzip':
      return unzip(codec, maxBytes, fault, (maxOutputLength) =>
        gunzipSync(input, { maxOutputLength, chunkSize: chunkBytes(input) }),
      )
    case 'snappy':
      return snappyDecompress(input, maxBytes, fault)
    case 'lz4':
      return lz4Decompress(input, maxBytes, fault)
    case 'zstd':
      return unzip(codec, maxBytes, fault, (maxOutputLength) => unzipFrame(input, maxOutputLength, fault))
  }
}

/** Node reads one frame and says nothing of what follows it; no client of Kafka writes a second one. */
function unzipFrame(input: Buffer, maxOutputLength: number, fault: BatchFault): Buffer {
  const chunkSize = chunkBytes(input)
  const options = { maxOutputLength, chunkSize, params: zstdWindow(maxOutputLength), info: true }
  // With `info`, which its types leave out, the engine comes with the output and knows how much it has taken.
  const { buffer, engine } = zstdDecompressSync(input, options) as unknown as {
    readonly buffer: Buffer
    readonly engine: { readonly bytesWritten: number }
  }
  if (engine.bytesWritten === input.length) return buffer
  throw fault('BATCH_CORRUPT', `zstd data goes on after its frame, at compressed byte ${engine.bytesWritten}`)
}

/**
 * A zstd frame names the size of the window that its decoder allocates. Capped at the power of two that holds
 * all of the output allowed: a frame that stays within the limit never needs more. 10 to 27 is zstd's range.
 */
function zstdWindow(maxBytes: number): Record<number, number> {
  return { [constants.ZSTD_d_windowLogMax]: Math.min(27, Math.max(10, Math.ceil(Math.log2(maxBytes)))) }
}

const limitErrors = new Set(['ERR_BUFFER_TOO_LARGE', 'ZSTD_error_frameParameter_windowTooLarge'])

function unzip(codec: Codec, maxBytes: number, fault: BatchFault, run: (maxBytes: number) => Buffer): Buffer {
  try {
    // Zero is not a limit that zlib takes; an output of one byte then fails as a record would.
    const result = run(Math.max(1, maxBytes))
    // A single piece comes back as a view, which would keep all of the piece alive for a few bytes.
    return result.length < result.buffer.byteLength / 2 ? Buffer.from(result) : result
  } catch (cause) {
    if (cause instanceof DtsError) throw cause
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw limitErrors.has(code)
      ? fault('BATCH_TOO_LARGE', `${codec} data decompresses to more than the limit of ${maxBytes} bytes`)
      : fault('BATCH_CORRUPT', `${codec} data cannot be decompressed (${code})`)
  }
}
