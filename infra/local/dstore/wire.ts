import { Decoder, Encoder } from './kafkajs.ts'

/**
 * Reads one request. A read past the end of the frame, or an impossible length, throws a RangeError. The connection
 * is then closed, as a broker does.
 */
export class RequestReader extends Decoder {
  override readString(): string | null {
    return this.#within(() => super.readString())
  }

  override readBytes(): Buffer | null {
    return this.#within(() => super.readBytes())
  }

  /** A string that must not be null. */
  readText(): string {
    const value = this.readString()
    if (value === null) throw new RangeError('null where the grammar asks for a string')
    return value
  }

  /** int32 count, then the items; null is count -1. */
  readNullableEach<T>(read: () => T): T[] | null {
    const count = this.readInt32()
    if (count === -1) return null
    // Each item takes at least one byte, so a larger count is impossible.
    if (count < 0 || count > this.buffer.length - this.offset) throw new RangeError(`array of ${count} items`)
    return Array.from({ length: count }, read)
  }

  readEach<T>(read: () => T): T[] {
    return this.readNullableEach(read) ?? []
  }

  #within<T>(read: () => T): T {
    const start = this.offset
    const value = read()
    if (this.offset < start || this.offset > this.buffer.length) {
      throw new RangeError(`a length at byte ${start} of the request leads out of it`)
    }
    return value
  }
}

export class ResponseWriter extends Encoder {
  /** int32 count, then the items. */
  writeEach<T>(items: readonly T[], write: (item: T) => void): this {
    this.writeInt32(items.length)
    for (const item of items) write(item)
    return this
  }
}

/** The largest frame accepted, like a broker's `socket.request.max.bytes`. */
const maxFrameBytes = 100 * 1024 * 1024

/**
 * Frame => length:int32 payload:byte[length]
 *
 * Ends at a truncated last frame; throws a RangeError for a length that is negative or above 100 MiB.
 */
export async function* readFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let have = 0
  let need = 4
  for await (const chunk of chunks) {
    parts.push(chunk)
    have += chunk.length
    while (have >= need) {
      const bytes: Buffer = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts)
      parts = [bytes]
      const length = bytes.readInt32BE(0)
      if (length < 0 || length > maxFrameBytes) throw new RangeError(`a frame of ${length} bytes`)
      need = 4 + length
      if (have < need) break
      yield bytes.subarray(4, need)
      parts = [bytes.subarray(need)]
      have -= need
      need = 4
    }
  }
}

export function toFrame(payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(4 + payload.length)
  frame.writeInt32BE(payload.length, 0)
  payload.copy(frame, 4)
  return frame
}
