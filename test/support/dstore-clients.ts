import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Consumer, Kafka, type KafkaMessage, logLevel } from 'kafkajs'
import { type Address, DStore, type DStoreOptions } from '../../infra/local/dstore/dstore.ts'
import { readFrames, toFrame } from '../../infra/local/dstore/wire.ts'
import '../../lib/kafka/patch-request-queue.ts'

/** The stores whose test has ended. */
const ended = new WeakSet<DStore>()

/** A running DStore that ends with the test. */
export async function startDStore(t: TestContext, options: DStoreOptions = {}) {
  const store = new DStore(options)
  const address = await store.start()
  t.after(() => {
    ended.add(store)
    return store.stop()
  })
  return { store, address }
}

/** The stock client, without logs and with few retries. */
export function stockClient(store: DStore, address: Address, password = store.password): Kafka {
  return new Kafka({
    brokers: [`${address.host}:${address.port}`],
    clientId: 'stock',
    sasl: { mechanism: 'plain', username: store.userName, password },
    ssl: false,
    logLevel: logLevel.NOTHING,
    retry: {
      initialRetryTime: 20,
      maxRetryTime: 100,
      retries: 3,
      // A consumer that crashes while it is disconnected starts again, for ever.
      restartOnFailure: async () => !ended.has(store),
    },
  })
}

/** The stock consumer. It waits only briefly for records, because its disconnect takes that long. */
export function stockConsumer(store: DStore, address: Address): Consumer {
  const groupId = store.sid ?? 'any'
  return stockClient(store, address).consumer({ groupId, maxWaitTimeInMs: 50 })
}

/** Reads this many records with the stock consumer, each as a text that `print` makes. It stays connected until the test ends. */
export async function consume(
  t: TestContext,
  consumer: Consumer,
  topic: string,
  count: number,
  print: (message: KafkaMessage) => string,
): Promise<string[]> {
  await consumer.connect()
  t.after(() => consumer.disconnect())
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen: string[] = []
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      seen.push(print(message))
    },
  })
  await until(() => seen.length === count)
  return seen
}

/** `count` records, ten per second, from second 1000. */
export function numbered(count: number, from = 0) {
  return Array.from({ length: count }, (_, i) => ({
    value: Buffer.from(`value ${from + i}`),
    timestamp: 1000 + Math.floor((from + i) / 10),
  }))
}

/** Resolves when the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  // After a timeout of the test, this wait must not keep the process alive.
  while (!condition()) await sleep(5, undefined, { ref: false })
}

/** A connection that sends and reads bare frames. */
export class RawClient {
  readonly socket: Socket
  readonly #frames: AsyncGenerator<Buffer>

  private constructor(socket: Socket) {
    this.socket = socket
    this.#frames = readFrames(socket)
  }

  static async connect(t: TestContext, { host, port }: Address): Promise<RawClient> {
    const socket = connect(port, host)
    t.after(() => socket.destroy())
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  /** The next frame; undefined when the peer has closed the connection. */
  async read(): Promise<Buffer | undefined> {
    const { value, done } = await this.#frames.next()
    return done ? undefined : value
  }

  /** Sends a request header with correlation id 7, and `body`. Resolves to the answer with its header. */
  async ask(key: number, version: number, body: Buffer = Buffer.alloc(0)): Promise<Buffer | undefined> {
    const header = Buffer.alloc(10)
    header.writeInt16BE(key, 0)
    header.writeInt16BE(version, 2)
    header.writeInt32BE(7, 4)
    header.writeInt16BE(-1, 8)
    this.socket.write(toFrame(Buffer.concat([header, body])))
    return this.read()
  }
}

/** Whether the stock client's error, or a cause of it, is this protocol error. */
export function isProtocolError(type: string): (error: unknown) => boolean {
  const matches = (error: unknown): boolean =>
    error instanceof Error && (('type' in error && error.type === type) || matches(error.cause))
  return matches
}
