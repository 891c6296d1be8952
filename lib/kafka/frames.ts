import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/**
 * Frames of a Kafka connection: length INT32, then so many bytes. A frame is read by the kernel right into the one
 * buffer that will hold it, whose size is known from its first four bytes: a fetch response of some megabytes is
 * neither collected in pieces nor joined from them, and one that claims to be endless is refused before it is read.
 */

const lengthBytes = 4
const keepAliveMs = 60_000

/** What kafkajs asks of whoever opens its sockets. */
export interface SocketRequest {
  readonly host: string
  readonly port: number
  /** Options of `tls.connect`; null: without TLS. */
  readonly ssl: object | null
  readonly onConnect: () => void
}

/** A longer frame ends the connection with an error. May change while the connection is open. */
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
        // TLS still hands on what it has decrypted.
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

/** Puts the bytes of a connection into frames. */
export class FrameReader {
  readonly #limit: FrameLimit
  readonly #length = Buffer.alloc(lengthBytes)
  /** The frame that is being filled; its length alone while that is not known yet. */
  #frame: Buffer = this.#length
  #filled = 0

  constructor(limit: FrameLimit) {
    this.#limit = limit
  }

  /** Where the next bytes have to go; never more than belong to the present frame. */
  get target(): Buffer {
    return this.#frame.subarray(this.#filled)
  }

  /** So many bytes were put into `target`. Returns the frame that is whole now, or why the connection is of no use. */
  took(bytes: number): Buffer | Error | null {
    this.#filled += bytes
    if (this.#filled < this.#frame.length) return null
    if (this.#frame === this.#length) {
      const size = lengthBytes + this.#length.readInt32BE()
      const { maxBytes } = this.#limit
      if (size < lengthBytes || size > maxBytes) {
        // `target` must have room even now: without any, TLS would offer the same bytes for ever.
        this.#filled = 0
        return new RangeError(`a frame of ${size} bytes was announced; the limit is ${maxBytes}`)
      }
      this.#frame = Buffer.allocUnsafeSlow(size)
      this.#length.copy(this.#frame)
      // An empty frame is the answer of old brokers to a login.
      if (size > lengthBytes) return null
    }
    const frame = this.#frame
    this.#frame = this.#length
    this.#filled = 0
    return frame
  }
}
