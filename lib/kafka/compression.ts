import { constants, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { DtsError } from '../errors.ts'
import type { BatchFault } from './batch-fault.ts'
import { lz4Decompress } from './lz4.ts'
import { snappyDecompress } from './snappy.ts'

/** The compression codecs of Kafka, by the number in the three low bits of a batch's attributes. */
export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = (typeof codecs)[number]

/** zlib allocates its output in pieces of this size. It allocates the first one before it reads a byte. */
const chunkBytes = (input: Buffer): number => Math.min(256 * 1024, Math.max(1024, input.length * 4))

/**
 * Decompresses all of `input`, and never holds more than `maxBytes` of output. More output is BATCH_TOO_LARGE. Data that
 * the codec cannot read is BATCH_CORRUPT. For `none` the result is `input`.
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

/** Node reads one frame and ignores the bytes after it. No Kafka client writes a second frame. */
function unzipFrame(input: Buffer, maxOutputLength: number, fault: BatchFault): Buffer {
  const chunkSize = chunkBytes(input)
  const options = { maxOutputLength, chunkSize, params: zstdWindow(maxOutputLength), info: true }
  // With `info`, which the types omit, Node also returns the engine. It counts the bytes that it has read.
  const { buffer, engine } = zstdDecompressSync(input, options) as unknown as {
    readonly buffer: Buffer
    readonly engine: { readonly bytesWritten: number }
  }
  if (engine.bytesWritten === input.length) return buffer
  throw fault(
    'BATCH_CORRUPT',
    `zstd data continues after its frame, at compressed byte ${engine.bytesWritten}`,
  )
}

/**
 * A zstd frame names the size of the window that its decoder allocates. We cap it at the power of two that holds the
 * whole output: a frame within the limit never needs more. zstd's range is 10 to 27.
 */
function zstdWindow(maxBytes: number): Record<number, number> {
  return { [constants.ZSTD_d_windowLogMax]: Math.min(27, Math.max(10, Math.ceil(Math.log2(maxBytes)))) }
}

const limitErrors = new Set(['ERR_BUFFER_TOO_LARGE', 'ZSTD_error_frameParameter_windowTooLarge'])

function unzip(codec: Codec, maxBytes: number, fault: BatchFault, run: (maxBytes: number) => Buffer): Buffer {
  try {
    // zlib accepts no limit of zero. With a limit of one byte, a one-byte output fails later, as a record.
    const result = run(Math.max(1, maxBytes))
    // zlib returns a view on its last piece, which would keep the whole piece in memory for a few bytes.
    return result.length < result.buffer.byteLength / 2 ? Buffer.from(result) : result
  } catch (cause) {
    if (cause instanceof DtsError) throw cause
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw limitErrors.has(code)
      ? fault('BATCH_TOO_LARGE', `${codec} data decompresses to more than the limit of ${maxBytes} bytes`)
      : fault('BATCH_CORRUPT', `${codec} data cannot be decompressed (${code})`)
  }
}
