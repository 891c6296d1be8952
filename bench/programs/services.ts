/** The services of the bench in a process of their own: DStore emulators, one for each stream, and dynalite. */
import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import { DStore } from '../../infra/local/dstore/dstore.ts'
import { createCheckpointTable, localClient, startDynalite } from '../../infra/local/dynalite.ts'
import { encodeRecord } from '../../infra/local/encode.ts'
import { answerCalls } from '../ground/calls.ts'
import { itemSize } from '../ground/item-size.ts'
import { checkpoints, makeRecords, type RecordShape, startTime } from '../ground/records.ts'

export interface StreamShape extends RecordShape {
  readonly records: number
  /** So many different records. They are repeated until there are enough. */
  readonly distinct?: number
}

export interface OpenStream {
  readonly name: string
  /** The variables that lead a poller to it. */
  readonly environment: Readonly<Record<string, string>>
  /** Of one record on average: its value, and its share of the record batch. */
  readonly bytes: { readonly value: number; readonly wire: number }
}

export interface Requests {
  readonly dynamo: number
  /** Those of them that read. */
  readonly dynamoReads: number
  readonly broker: number
  /** Those to the broker, by API. */
  readonly byApi: Readonly<Record<string, number>>
}

/** About the size of a producer's batch. */
const batchBytes = 250_000

const dynamo = await startDynalite()
const client = new DynamoDBClient(localClient(dynamo.endpoint))
await createCheckpointTable(client, checkpoints)
client.destroy()
let dynamoRequests = 0
let dynamoReads = 0
subscribe('http.server.request.start', (message) => {
  const { request } = message as { request: IncomingMessage }
  const target = String(request.headers['x-amz-target'] ?? '')
  if (target.startsWith('DynamoDB')) dynamoRequests += 1
  if (target.endsWith('.GetItem')) dynamoReads += 1
})

const streams = new Map<string, DStore>()
let count = 0

function streamOf(name: string): DStore {
  const stream = streams.get(name)
  if (stream === undefined) throw new RangeError(`There is no stream ${name}.`)
  return stream
}

const answers = {
  dynamoEndpoint: (_: null) => dynamo.endpoint,

  async open({ records, distinct = Math.min(records, 30_000), ...shape }: StreamShape): Promise<OpenStream> {
    const name = `stream_${count++}`
    const stream = new DStore({ topic: name })
    const { host, port } = await stream.start()
    const values = makeRecords(shape, distinct)
    const bytes = values.reduce((sum, { length }) => sum + length, 0) / Math.max(distinct, 1)
    const recordsPerBatch = Math.max(1, Math.min(500, Math.floor(batchBytes / bytes)))
    if (distinct > 0) {
      const given = values.map((value) => ({ value, timestamp: startTime }))
      await stream.append(given, { recordsPerBatch, times: Math.floor(records / distinct) })
      await stream.append(given.slice(0, records % distinct), { recordsPerBatch })
    }
    streams.set(name, stream)
    return {
      name,
      environment: {
        DTS_BROKER_URL: `${host}:${port}`,
        DTS_TOPIC: name,
        DTS_SID: stream.sid ?? '',
        DTS_USER: stream.user,
        DTS_PASSWORD: stream.password,
        DTS_CHECKPOINT: String(startTime),
      },
      // Each record has a length, deltas and null fields around its value; each batch a header of 61 bytes.
      bytes: { value: bytes, wire: bytes + 10 + 61 / recordsPerBatch },
    }
  },

  /** Appends one change. @returns when, in milliseconds since 1970 */
  async append({ name, n }: { name: string; n: number }): Promise<number> {
    const [value = null] = makeRecords({ tables: 1 }, 1, n)
    const now = performance.timeOrigin + performance.now()
    await streamOf(name).append([{ value, timestamp: Math.floor(now / 1000) }])
    return now
  },

  /** Appends one change of each of so many tables. */
  async appendToEach({ name, tables, n }: { name: string; tables: number; n: number }): Promise<void> {
    const timestamp = Math.floor(Date.now() / 1000)
    const values = makeRecords({ tables }, tables, n * tables)
    await streamOf(name).append(values.map((value) => ({ value, timestamp })))
  },

  /** Appends what DTS writes on an idle source. */
  async heartbeats({ name, count }: { name: string; count: number }): Promise<void> {
    const seconds = Math.floor(Date.now() / 1000)
    const value = encodeRecord({ operation: 'HEARTBEAT', sourceTimestamp: seconds })
    await streamOf(name).append(Array.from({ length: count }, () => ({ value, timestamp: seconds })))
  },

  /** The size of the checkpoint item of a stream, as DynamoDB counts it. */
  async checkpointBytes(name: string): Promise<number> {
    const reader = new DynamoDBClient(localClient(dynamo.endpoint))
    const Key = { pk: { S: `${name}/0` } }
    const { Item } = await reader.send(new GetItemCommand({ TableName: checkpoints, Key }))
    reader.destroy()
    if (Item === undefined) throw new RangeError(`There is no checkpoint of ${name}.`)
    return itemSize(Item)
  },

  /** Requests since the start. */
  requests(name: string): Requests {
    const byApi = { ...streamOf(name).requests }
    const broker = Object.values(byApi).reduce((sum, one) => sum + one, 0)
    return { dynamo: dynamoRequests, dynamoReads, broker, byApi }
  },

  async close(name: string): Promise<void> {
    await streamOf(name).stop()
    streams.delete(name)
  },
}
export type Services = typeof answers
answerCalls(answers)
