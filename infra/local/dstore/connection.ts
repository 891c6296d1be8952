import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeUnsupportedVersion } from './apis/api-versions.ts'
import { apis, nameOf } from './apis/index.ts'
import { authenticate } from './apis/sasl.ts'
import type { Broker, Session } from './broker.ts'
import { RequestReader, ResponseWriter, readFrames, toFrame } from './wire.ts'

/** The APIs that a client may use before authentication. */
const openApis: ReadonlySet<string> = new Set(['ApiVersions', 'SaslHandshake', 'SaslAuthenticate'])

/** One client's connection. It answers requests one at a time, in their order. */
export class Connection {
  readonly #socket: Socket
  readonly #broker: Broker
  readonly #gone = new AbortController()
  readonly #session: Session = { state: 'new', closed: this.#gone.signal }

  constructor(socket: Socket, broker: Broker) {
    this.#socket = socket
    this.#broker = broker
    socket.setNoDelay(true)
    // An error also ends the read loop in `serve`, which handles it.
    socket.on('error', () => {})
    socket.on('close', () => this.#gone.abort())
  }

  /** Cuts the connection with a reset, as when the node dies. */
  drop(): void {
    this.#gone.abort()
    this.#socket.resetAndDestroy()
  }

  /** Resolves when the connection has ended, for any reason. */
  async serve(): Promise<void> {
    try {
      for await (const frame of readFrames(this.#socket)) {
        const answer = await this.#answer(frame)
        if (answer) await this.#send(answer)
        if (this.#session.state === 'refused') break
      }
    } catch (error) {
      if (error instanceof RangeError) this.#broker.counters.badFrames += 1
      // Node's socket errors have a code. Any other error is a bug in the emulator.
      else if (!(error instanceof Error && 'code' in error)) throw error
    } finally {
      this.#socket.destroy()
    }
  }

  /**
   * Request => api_key:int16 api_version:int16 correlation_id:int32 client_id:nullable_string body
   * Response => correlation_id:int32 body
   *
   * The newer request header of ApiVersions 3 only appends to these fields. A broker closes the connection for an
   * unknown API or version, and for a request before authentication. These throw a RangeError here.
   */
  async #answer(frame: Buffer): Promise<Buffer | undefined> {
    const broker = this.#broker
    if (this.#session.state === 'raw-token') {
      return authenticate(frame, broker, this.#session) ? Buffer.alloc(0) : undefined
    }
    const body = new RequestReader(frame)
    const key = body.readInt16()
    const version = body.readInt16()
    const answer = new ResponseWriter().writeInt32(body.readInt32())
    const clientId = body.readString()

    const name = nameOf(key)
    const range = broker.advertisedVersions.find((advertised) => advertised.key === key)
    if (!name || !range) throw new RangeError(`API ${key} is not served`)
    broker.requests[name] += 1
    if (version < range.min || version > range.max) {
      if (name !== 'ApiVersions') throw new RangeError(`${name} version ${version} is not served`)
      writeUnsupportedVersion(answer, broker)
      return answer.buffer
    }
    if (this.#session.state !== 'authenticated' && !openApis.has(name)) {
      throw new RangeError(`${name} before authentication`)
    }
    const outcome = await apis[name].handle({ version, clientId, body }, answer, broker, this.#session)
    return outcome === 'no-answer' ? undefined : answer.buffer
  }

  async #send(answer: Buffer): Promise<void> {
    const { answerDelayMs, counters } = this.#broker
    if (answerDelayMs > 0) {
      await sleep(answerDelayMs, undefined, { signal: this.#session.closed })
      counters.answersDelayed += 1
    }
    // Wait for the write: it slows down a client that sends requests faster than it reads answers.
    await new Promise<void>((resolve) => this.#socket.write(toFrame(answer), () => resolve()))
  }
}
