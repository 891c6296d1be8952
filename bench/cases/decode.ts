import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import avro from 'avsc'
import { recordType } from '../../infra/local/encode.ts'
import { readHeader } from '../../lib/dts/header.ts'
import { readBatches } from '../../lib/kafka/batch.ts'
import { parseFetchResponse } from '../../lib/kafka/fetch-response.ts'
import { encodeBatch, KafkajsEncoder, long } from '../../test/support/kafkajs-batches.ts'
import type { Case } from '../case.ts'
import { makeRecords } from '../ground/records.ts'
import { measureInTurn } from '../measure.ts'
import { decodeAll, microseconds } from './in-process.ts'

const recordCount = 2_000
const recordsPerBatch = 100
const version = 11
const asked: readonly string[] = ['id', 'status', 'total']

interface KafkajsResponse {
  readonly responses: [{ partitions: [{ messages: unknown[] }] }]
}

const { decode: kafkajsDecode } = createRequire(import.meta.url)(
  `kafkajs/src/protocol/requests/fetch/v${version}/response`,
) as {
  decode(payload: Buffer): Promise<KafkajsResponse>
}

async function fetchResponse(records: readonly Buffer[]): Promise<Buffer> {
  const batches: Buffer[] = []
  for (let at = 0; at < records.length; at += recordsPerBatch) {
    const values = records.slice(at, at + recordsPerBatch)
    batches.push(await encodeBatch({ baseOffset: BigInt(at), values }))
  }
  return new KafkajsEncoder()
    .writeInt32(0)
    .writeInt16(0)
    .writeInt32(0)
    .writeInt32(1)
    .writeString('topic')
    .writeInt32(1)
    .writeInt32(0)
    .writeInt16(0)
    .writeInt64(long(records.length))
    .writeInt64(long(records.length))
    .writeInt64(long(0))
    .writeInt32(0)
    .writeInt32(-1)
    .writeBytes(Buffer.concat(batches)).buffer
}

function readOurs(payload: Buffer): number {
  const partition = parseFetchResponse(payload, version).partitions[0]
  assert.ok(partition)
  return readBatches(partition.records, 0n).records.length
}

async function readKafkajs(payload: Buffer): Promise<number> {
  return (await kafkajsDecode(payload)).responses[0].partitions[0].messages.length
}

const avsc = 'avsc, all fields'
const kafkajs = 'kafkajs, without a CRC check'

export const decode: Case = {
  title: 'The decoder against the usual libraries',
  about: `The same bytes in one process: records of twelve columns, ours to row objects and avsc's to objects with longs as numbers, its fastest
way. Then the batches of a Fetch answer: ours checks the CRC-32C of each batch, kafkajs checks none.`,
  goals: [],
  async run({ rounds }) {
    const records = makeRecords({ tables: 1 }, recordCount)
    const payload = await fetchResponse(records)
    const type = avro.Type.forSchema(recordType.schema())
    const perRecord = (micros: number) => micros / recordCount
    const variants = [
      {
        name: avsc,
        measure: async () =>
          perRecord(await microseconds(() => records.forEach((bytes) => void type.fromBuffer(bytes)))),
      },
      {
        name: 'ours, all columns',
        measure: async () => perRecord(await microseconds(() => decodeAll(records))),
      },
      {
        name: 'ours, 3 of 12 columns',
        measure: async () => perRecord(await microseconds(() => decodeAll(records, asked))),
      },
      {
        name: 'ours, header only: a table without a handler',
        measure: async () =>
          perRecord(await microseconds(() => records.forEach((bytes) => void readHeader(bytes)))),
      },
      {
        name: kafkajs,
        measure: async () => perRecord(await microseconds(() => readKafkajs(payload))),
      },
      {
        name: 'ours, batches with CRC-32C',
        measure: async () => perRecord(await microseconds(() => readOurs(payload))),
      },
    ]
    assert.equal(readOurs(payload), await readKafkajs(payload))
    return await measureInTurn(variants, Math.max(rounds, 9), [
      { name: 'records/s', of: (micros) => 1e6 / micros },
      {
        name: 'of the library',
        of: (micros) => 1 / micros,
        against: (name) => (name === kafkajs || name.includes('batches') ? kafkajs : avsc),
      },
    ])
  },
}
