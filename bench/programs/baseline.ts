/**
 * A plain Node consumer: a kafkajs consumer group, avsc for the whole record, rows as JSON to the table's function,
 * one DynamoDB write per batch. Reads until the offset in END_OFFSET and says what it has used.
 */
import { randomUUID } from 'node:crypto'
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { Kafka, logLevel } from 'kafkajs'
import { recordType } from '../../infra/local/encode.ts'
import { answerCalls } from '../ground/calls.ts'
import { type Usage, usage } from './usage.ts'

type JsonRow = Record<string, string | number | null>
/** The event that the baseline sends to a function. */
export interface JsonBatch {
  readonly batchId: string
  readonly changes: readonly {
    readonly offset: string
    readonly operation: string
    readonly before: JsonRow | null
    readonly after: JsonRow | null
  }[]
}

interface AvroRecord {
  readonly operation: string
  readonly sourceTimestamp: bigint
  readonly objectName: { readonly string: string } | null
  readonly fields: { readonly array: readonly { readonly name: string }[] } | null
  readonly beforeImages: { readonly array: readonly AvroValue[] } | null
  readonly afterImages: { readonly array: readonly AvroValue[] } | null
}
type AvroValue = Readonly<Record<string, unknown>> | null

const {
  DTS_BROKER_URL = '',
  DTS_TOPIC = '',
  DTS_SID = '',
  CHECKPOINT_TABLE = '',
  END_OFFSET = '',
} = process.env
const tables = [0, 1, 2]

function decode(value: Buffer): AvroRecord {
  return recordType.fromBuffer(value)
}

function toRow(fields: AvroRecord['fields'], images: AvroRecord['afterImages']): JsonRow | null {
  if (fields === null || images === null) return null
  const row: JsonRow = {}
  for (const [index, { name }] of fields.array.entries()) {
    const value = images.array[index]
    row[name] = value === undefined || value === null ? null : toJson(value)
  }
  return row
}

function toJson(value: Readonly<Record<string, unknown>>): string | number | null {
  for (const branch in value) {
    const content = value[branch]
    switch (branch) {
      case 'Integer':
      case 'Decimal':
        return (content as { value: string }).value
      case 'Character':
        return (content as { value: Buffer }).value.toString('utf8')
      case 'Float':
        return (content as { value: number }).value
      case 'Timestamp': {
        const { timestamp, millis } = content as { timestamp: bigint; millis: number }
        return new Date(Number(timestamp) * 1000 + Math.floor(millis / 1000)).toISOString()
      }
      case 'DateTime': {
        const part = content as Record<string, { int: number } | null>
        const two = (name: string) => String(part[name]?.int ?? 0).padStart(2, '0')
        return `${part.year?.int}-${two('month')}-${two('day')} ${two('hour')}:${two('minute')}:${two('second')}`
      }
      case 'EmptyObject':
        return null
    }
  }
  throw new Error(`No such value is expected: ${JSON.stringify(value)}`)
}

async function consume(_: null): Promise<Usage> {
  const dynamo = new DynamoDBClient({})
  const lambda = new LambdaClient({})
  const routes = new Map(tables.map((part) => [`shop.orders_${part}`, `json-orders_${part}`]))
  const kafka = new Kafka({
    brokers: [DTS_BROKER_URL],
    logLevel: logLevel.NOTHING,
    sasl: {
      mechanism: 'plain',
      username: `${process.env.DTS_USER}-${DTS_SID}`,
      password: process.env.DTS_PASSWORD ?? '',
    },
  })
  const consumer = kafka.consumer({ groupId: DTS_SID })
  const done = Promise.withResolvers<void>()
  await consumer.connect()
  await consumer.subscribe({ topic: DTS_TOPIC, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, heartbeat }) => {
      const byFunction = new Map<string, JsonBatch['changes'][number][]>()
      let timestamp = 0n
      for (const { offset, value } of batch.messages) {
        if (value === null) continue
        const record = decode(value)
        timestamp = record.sourceTimestamp
        const name = record.objectName && routes.get(record.objectName.string)
        if (!name) continue
        const change = {
          offset,
          operation: record.operation,
          before: toRow(record.fields, record.beforeImages),
          after: toRow(record.fields, record.afterImages),
        }
        const changes = byFunction.get(name)
        if (changes === undefined) byFunction.set(name, [change])
        else changes.push(change)
      }
      await Promise.all(
        Array.from(byFunction, async ([FunctionName, changes]) => {
          const batchId = randomUUID()
          const Payload = JSON.stringify({ batchId, changes })
          const answer = await lambda.send(new InvokeCommand({ FunctionName, Payload }))
          const { done } = JSON.parse(Buffer.from(answer.Payload ?? []).toString())
          if (answer.FunctionError !== undefined || done !== changes.length)
            throw new Error('A handler failed.')
        }),
      )
      const next = BigInt(batch.lastOffset()) + 1n
      await dynamo.send(
        new PutItemCommand({
          TableName: CHECKPOINT_TABLE,
          Item: {
            pk: { S: `baseline/${DTS_TOPIC}` },
            offset: { N: String(next) },
            timestamp: { N: String(timestamp) },
          },
        }),
      )
      // DTS refuses a commit without a time.
      const metadata = String(timestamp)
      await consumer.commitOffsets([
        { topic: DTS_TOPIC, partition: batch.partition, offset: String(next), metadata },
      ])
      await heartbeat()
      if (next >= BigInt(END_OFFSET)) done.resolve()
    },
  })
  await done.promise
  return usage()
}

const answers = { consume }
export type Baseline = typeof answers
if (END_OFFSET !== '') answerCalls(answers, { call: 'consume', argument: null })
