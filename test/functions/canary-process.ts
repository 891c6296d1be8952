/**
 * canary.deep.test.ts runs this in its own process, so that it sees the complete output. The real poller and
 * real table handlers work with the DStore emulator and dynalite. Marker strings are in rows, in bytes that are not a
 * record, in the password and in errors of handlers. The last line of the output is the summary.
 */
import { randomUUID } from 'node:crypto'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import * as z from 'zod'
import { DStore } from '../../infra/local/dstore/dstore.ts'
import { createCheckpointTable, localAws, localClient, startDynalite } from '../../infra/local/dynalite.ts'
import { encodeRecord, integer, text } from '../../infra/local/encode.ts'
import { defineTable } from '../../lib/handler/define-table.ts'
import { context, until } from '../rig/context.ts'
import { startInvokeServer } from '../rig/invoke-server.ts'
import { packageRoutes } from '../support/test-config.ts'

const t0 = 1_790_000_000
const dstore = new DStore({ topic: `topic-${randomUUID()}`, password: 'CANARY-password' })
const { host, port } = await dstore.start()
const dynamo = await startDynalite()
const lambda = await startInvokeServer()
const client = new DynamoDBClient(localClient(dynamo.endpoint))
await createCheckpointTable(client, 'checkpoints')
client.destroy()

Object.assign(process.env, localAws, {
  AWS_ENDPOINT_URL_DYNAMODB: dynamo.endpoint,
  AWS_ENDPOINT_URL_LAMBDA: lambda.endpoint,
  DTS_BROKER_URL: `${host}:${port}`,
  DTS_TOPIC: dstore.topic,
  DTS_SID: dstore.sid ?? '',
  DTS_USER: dstore.user,
  DTS_PASSWORD: dstore.password,
  DTS_CHECKPOINT: String(t0),
  CHECKPOINT_TABLE: 'checkpoints',
  HANDLER_TIMEOUT_SECONDS: '1',
  FUNCTION_PREFIX: 'test-',
})
packageRoutes(
  JSON.stringify({
    'shop.fine': 'fine',
    'shop.throws': { function: 'throws', attempts: 100 },
    'shop.wrong': { function: 'wrong', attempts: 100 },
    'shop.strict': { function: 'strict', attempts: 100 },
    'shop.refines': { function: 'refines', attempts: 100 },
    'shop.crashes': { function: 'crashes', attempts: 100 },
  }),
)

const row = z.object({ id: z.bigint(), card: z.string() })
lambda.host('test-fine', defineTable({ table: 'shop.fine', row, onChange() {} }))
lambda.host(
  'test-throws',
  defineTable({
    table: 'shop.throws',
    row,
    onChange({ operation }) {
      throw new TypeError(`HANDLER-MESSAGE at ${operation}`)
    },
  }),
)
lambda.host(
  'test-wrong',
  defineTable({ table: 'shop.wrong', row: z.object({ id: z.bigint(), card: z.bigint() }), onChange() {} }),
)
// zod's own message would contain the name of the member, which is data here.
const parsed = z.string().transform((card) => ({ [card]: 1 }))
lambda.host(
  'test-strict',
  defineTable({
    table: 'shop.strict',
    row: z.object({ id: z.bigint(), card: parsed.pipe(z.strictObject({})) }),
    onChange() {},
  }),
)
lambda.host(
  'test-refines',
  defineTable({
    table: 'shop.refines',
    row: row.superRefine(({ card }, { addIssue }) => {
      addIssue({ code: 'custom', path: [card], message: 'CHECK-MESSAGE' })
    }),
    onChange() {},
  }),
)
// A rejection that no code handles ends the process, and Lambda answers with its message.
lambda.host('test-crashes', async () => {
  throw new Error('CRASH-MESSAGE')
})

function insert(table: string, id: number) {
  const value = encodeRecord({
    operation: 'INSERT',
    objectName: `shop.${table}`,
    fields: [
      ['id', 8],
      ['card', 253],
    ],
    after: [integer(id), text(`CANARY-card-${table}`)],
    sourceTimestamp: t0 + id,
  })
  return { value, timestamp: t0 + id }
}

const { handler } = await import('../../functions/poller.ts')
const poll = async (remainingMs: () => number) => {
  try {
    const { ended, failures } = await handler({}, context('test-poller', remainingMs))
    return { ended, failures: failures.length }
  } catch (error) {
    // Like Lambda's runtime, but with every property and cause.
    console.error(error)
    return { thrown: error instanceof Error ? error.name : 'unknown' }
  }
}

const failing = ['throws', 'wrong', 'strict', 'refines', 'crashes']
await dstore.append(['fine', ...failing].map((table, index) => insert(table, index)))
// A function that is invoked again has failed once.
const failed = () => failing.every((name) => lambda.invocations(`test-${name}`) > 1)
const runs: unknown[] = [await poll(until(failed))]
packageRoutes(JSON.stringify({ 'shop.fine': 'fine' }))
// Bytes that are not a record, without a dead-letter queue: the stream halts.
await dstore.append([{ value: Buffer.from('CANARY-raw-bytes'), timestamp: t0 + 9 }])
for (const name of failing) {
  lambda.host(`test-${name}`, defineTable({ table: `shop.${name}`, row, onChange() {} }))
}
while (runs.length < 10) {
  const run = await poll(() => 60_000)
  runs.push(run)
  if ('thrown' in run) break
}
runs.push(await poll(() => 60_000))
const recovery = await import('../../functions/recovery.ts')
const looked = await recovery.handler(
  { action: 'look' },
  context('test-recovery', () => 60_000),
)
if (!JSON.stringify(looked).includes('CANARY-card-fine')) throw new Error('The look shows no value of a row.')
await Promise.all([dstore.stop(), dynamo.stop(), lambda.stop()])
console.log(JSON.stringify(runs))
