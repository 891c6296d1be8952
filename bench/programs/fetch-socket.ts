import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { BrokerConfig } from '../../lib/kafka/broker-config.ts'
import type { Credentials } from '../../lib/kafka/connection.ts'
import { KafkajsEncoder, long } from '../../test/support/kafkajs-batches.ts'

type Encoder = InstanceType<typeof KafkajsEncoder>

const apis = {
  saslHandshake: { key: 17, version: 1 },
  saslAuthenticate: { key: 36, version: 0 },
  fetch: { key: 1, version: 11 },
} as const

/** A connection that takes Fetch answers from the socket, as Node gives them, and drops them. */
export class FetchSocket {
  readonly #socket: Socket
  readonly #topic: string
  #wanted = 0
  #frame = 0
  #taken = 0
  #answered: () => void = () => {}

  static async open(
    { broker, topic }: BrokerConfig,
    { username, password }: Credentials,
  ): Promise<FetchSocket> {
    const socket = new FetchSocket(broker, topic)
    await once(socket.#socket, 'connect')
    await socket.#ask(apis.saslHandshake, new KafkajsEncoder().writeString('PLAIN'))
    const token = Buffer.from(`\0${username}\0${password}`)
    await socket.#ask(apis.saslAuthenticate, new KafkajsEncoder().writeBytes(token))
    return socket
  }

  private constructor(address: BrokerConfig['broker'], topic: string) {
    this.#topic = topic
    this.#socket = connect(address).on('data', (bytes) => this.#took(bytes))
  }

  /** Fetches from the beginning of the log. @returns the bytes of the answer */
  async fetch(maxBytes: number): Promise<number> {
    const wholeAnswer = new KafkajsEncoder()
      .writeInt32(-1)
      .writeInt32(0)
      .writeInt32(1)
      .writeInt32(maxBytes)
      .writeBuffer(Buffer.of(1))
      .writeInt32(0)
      .writeInt32(-1)
      .writeInt32(1)
      .writeString(this.#topic)
      .writeInt32(1)
      .writeInt32(0)
      .writeInt32(-1)
      .writeInt64(long(0))
      .writeInt64(long(-1))
      .writeInt32(maxBytes)
      .writeInt32(0)
      .writeString('')
    return await this.#ask(apis.fetch, wholeAnswer)
  }

  close(): void {
    this.#socket.destroy()
  }

  async #ask({ key, version }: { key: number; version: number }, body: Encoder): Promise<number> {
    const request = new KafkajsEncoder()
      .writeInt16(key)
      .writeInt16(version)
      .writeInt32(0)
      .writeString('bench')
      .writeBuffer(body.buffer).buffer
    const answer = new Promise<void>((resolve) => {
      this.#answered = resolve
    })
    this.#socket.write(new KafkajsEncoder().writeBytes(request).buffer)
    await answer
    return this.#frame
  }

  #took(bytes: Buffer): void {
    // A frame begins with its length. One read holds at least that, because requests are sent one at a time.
    if (this.#taken === 0) {
      this.#frame = bytes.readInt32BE(0)
      this.#wanted = 4 + this.#frame
    }
    this.#taken += bytes.length
    if (this.#taken < this.#wanted) return
    this.#taken = 0
    this.#answered()
  }
}
