import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { allocateBytes } from './free-memory.ts'

/**
 * Sockets that read whole frames of a Kafka connection: length INT32, then that many bytes. Each frame gets one buffer of
 * the announced size, and the kernel reads into it. So a fetch response of some megabytes is never joined from pieces, and
 * a frame above the limit is refused before it is read.
 */

const lengthBytes = 4
const keepAliveMs = 60_000

/** The arguments with which kafkajs opens a socket. */
export interface SocketRequest {
  readonly host: string
  readonly port: number
  /** Options of `tls.connect`; null: without TLS. */
  readonly ssl: object | null
  readonly onConnect: () => void
}

/** A longer frame ends the connection with an error. The limit may change while the connection is open. */
export interface FrameLimit {
  maxBytes: number
}

/** Makes sockets that emit `data` once for each whole frame, its length included. */
export function frameSockets(limit: FrameLimit): (request: SocketRequest) => Socket {
  return ({ host, port, ssl, onConnect }) => {
    const frames = new FrameReader(limit)
    const onread = {
      buffer: () => frames.target,
      callback: (bytes: number) => {
        // A destroyed TLS socket still delivers the bytes that it has decrypted.
        if (socket.destroyed) return false
        const frame = frames.took(bytes)
        if (frame instanceof Error) socket.destroy(frame)
        else if (frame !== null) socket.emit('data', frame)
        return true
      },
    }
    const options = { host, port, onread }
    const socket: Socket =
      ssl === null
        ? connectPlain(options, onConnect)
        : connectTls({ ...options, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
    return socket.setKeepAlive(true, keepAliveMs)
  }
}

/** Splits the bytes of a connection into frames. */
export class FrameReader {
  readonly #limit: FrameLimit
  readonly #length = Buffer.alloc(lengthBytes)
  /** The frame that is being filled. Until its size is known, the buffer of the length field. */
  #frame: Buffer = this.#length
  #filled = 0

  constructor(limit: FrameLimit) {
    this.#limit = limit
  }

  /** The buffer for the next bytes. It never reaches beyond the current frame. */
  get target(): Buffer {
    return this.#frame.subarray(this.#filled)
  }

  /** Call it after `bytes` bytes were read into `target`. Returns a complete frame, an error that ends the connection, or null. */
  took(bytes: number): Buffer | Error | null {
    this.#filled += bytes
    if (this.#filled < this.#frame.length) return null
    if (this.#frame === this.#length) {
      const size = lengthBytes + this.#length.readInt32BE()
      const { maxBytes } = this.#limit
      if (size < lengthBytes || size > maxBytes) {
        // `target` must have room even now. Otherwise TLS offers the same bytes forever.
        this.#filled = 0
        return new RangeError(`a frame of ${size} bytes was announced; the limit is ${maxBytes}`)
      }
      this.#frame = allocateBytes(size)
      this.#length.copy(this.#frame)
      // Old brokers answer a login with an empty frame.
      if (size > lengthBytes) return null
    }
    const frame = this.#frame
    this.#frame = this.#length
    this.#filled = 0
    return frame
  }
}
