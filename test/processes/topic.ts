import { Kafka, logLevel } from 'kafkajs'
import { encodeRecord, integer, text } from '../../infra/local/encode.ts'
import type { Ground } from './ground.ts'
import { type Table, tables } from './tables.ts'

/** The time of the first record, in seconds. */
export const startTime = 1_700_000_000
const recordsPerSecond = 100

/** One topic with changes of three tables, numbered from 0 in each table. */
export class Topic {
  readonly name: string
  /** The offset of each change, by table. */
  readonly offsets: Readonly<Record<Table, number[]>> = { customers: [], items: [], orders: [] }
  readonly #ground: Ground
  readonly #random: () => number
  #end = 0

  constructor(ground: Ground, name: string, random: () => number) {
    this.#ground = ground
    this.name = name
    this.#random = random
  }

  /** The offset of the next record. */
  get end(): number {
    return this.#end
  }

  /** Appends to the topic: changes of the three tables in random order, and some records that reach no handler. */
  async produce(changes: number): Promise<void> {
    if (this.#end === 0) await this.#ground.createTopic(this.name)
    const { host, port } = this.#ground.proxies.kafka
    const kafka = new Kafka({ brokers: [`${host}:${port}`], logLevel: logLevel.NOTHING })
    const producer = kafka.producer()
    await producer.connect()
    let done = 0
    while (done < changes) {
      const messages: { value: Buffer; timestamp: string }[] = []
      while (messages.length < 2_000 && done < changes) {
        const seconds = startTime + Math.floor(this.#end / recordsPerSecond)
        const isMark = this.#random() < 0.05
        const value = isMark
          ? encodeRecord({ operation: 'HEARTBEAT', sourceTimestamp: seconds })
          : this.#change(seconds)
        if (!isMark) done += 1
        messages.push({ value, timestamp: String(seconds * 1_000) })
        this.#end += 1
      }
      await producer.send({ topic: this.name, messages })
    }
    await producer.disconnect()
  }

  #change(seconds: number): Buffer {
    const table = tables[Math.floor(this.#random() * tables.length)] ?? 'orders'
    const sequence = this.offsets[table].push(this.#end) - 1
    return encodeRecord({
      operation: 'INSERT',
      objectName: `shop.${table}`,
      fields: [
        ['id', 8],
        ['status', 253],
      ],
      after: [integer(sequence), text('new')],
      tags: { pk_uk_info: '{"PRIMARY":["id"]}' },
      sourceTimestamp: seconds,
      sourcePosition: `${this.#end}@1`,
      sourceTxid: `tx-${this.#end}`,
    })
  }

  get changes(): number {
    return tables.reduce((sum, table) => sum + this.offsets[table].length, 0)
  }
}
