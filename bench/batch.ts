/**
 * Records per second from the bytes of a fetch response. Compares our reader, which verifies the CRC-32C of every
 * batch, with kafkajs' decoder, which does not. Both take turns on the same bytes in one process: `npm run bench:batch`.
 */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { readBatches } from '../lib/kafka/batch.ts'
import { parseFetchResponse } from '../lib/kafka/fetch-response.ts'
import { encodeBatch, KafkajsEncoder, long } from '../test/support/kafkajs-batches.ts'
import { median } from './median.ts'

const version = 11
const recordsPerBatch = 100
const batchCount = 100
const valueBytes = 500
const repetitions = 10

interface KafkajsResponse {
  readonly responses: [{ partitions: [{ messages: { offset: string; value: Buffer }[] }] }]
}

const { decode } = createRequire(import.meta.url)(
  `kafkajs/src/protocol/requests/fetch/v${version}/response`,
) as {
  decode(payload: Buffer): Promise<KafkajsResponse>
}

async function fetchResponse(): Promise<Buffer> {
  const value = Buffer.from(Array.from({ length: valueBytes }, (_, index) => (index * 31) & 0xff))
  const batches: Buffer[] = []
  for (let index = 0; index < batchCount; index++) {
    const values = Array.from({ length: recordsPerBatch }, () => value)
    batches.push(await encodeBatch({ baseOffset: BigInt(index * recordsPerBatch), values }))
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
    .writeInt64(long(batchCount * recordsPerBatch))
    .writeInt64(long(batchCount * recordsPerBatch))
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
  return (await decode(payload)).responses[0].partitions[0].messages.length
}

async function recordsPerSecond(
  read: (payload: Buffer) => number | Promise<number>,
  payload: Buffer,
): Promise<number> {
  let records = 0
  const start = process.hrtime.bigint()
  for (let left = repetitions; left > 0; left--) records += await read(payload)
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  assert.equal(records, repetitions * batchCount * recordsPerBatch)
  return records / seconds
}

interface BatchMeasure {
  /** Medians, in records per second. */
  readonly ours: number
  readonly kafkajs: number
  /** Our rate divided by kafkajs'. */
  readonly ratio: number
  readonly valueBytes: number
}

/** Measures both in turn: `rounds` times, after one warm-up that does not count. */
export async function measureBatch(rounds = 9): Promise<BatchMeasure> {
  const payload = await fetchResponse()
  const ours: number[] = []
  const kafkajs: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const first = await recordsPerSecond(readOurs, payload)
    const second = await recordsPerSecond(readKafkajs, payload)
    if (round === 0) continue
    ours.push(first)
    kafkajs.push(second)
  }
  const medians = { ours: median(ours), kafkajs: median(kafkajs) }
  return { ...medians, ratio: medians.ours / medians.kafkajs, valueBytes }
}

if (import.meta.main) {
  const { ours, kafkajs, ratio } = await measureBatch()
  const row = (speed: number, checks: string) => ({
    'records/s': Math.round(speed),
    'checks CRC-32C': checks,
  })
  console.log(`Batch reading, values of ${valueBytes} bytes, ${recordsPerBatch} records a batch`)
  console.table({ 'dts-functions': row(ours, 'yes'), kafkajs: row(kafkajs, 'no') })
  console.log(JSON.stringify({ batch: Number(ratio.toFixed(2)) }))
}
