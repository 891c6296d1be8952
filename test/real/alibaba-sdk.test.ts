import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Address, DStore } from '../../infra/local/dstore/dstore.ts'
import { readHeader } from '../../lib/dts/header.ts'
import { unescapeName } from '../../lib/dts/names.ts'
import type { Operation } from '../../lib/dts/types.ts'
import { openStream } from '../../lib/kafka/open-stream.ts'
import type { LogRecord } from '../../lib/kafka/records.ts'
import { type GoldenRecord, goldenStart, readGolden } from '../fixtures/golden/corpus.ts'
import { runGolden } from '../rig/java.ts'
import { testConfig } from '../support/test-config.ts'

/** The operations that the SDK names. */
const sdkOperations: ReadonlySet<Operation> = new Set<Operation>([
  'INSERT',
  'UPDATE',
  'DELETE',
  'DDL',
  'HEARTBEAT',
  'CHECKPOINT',
  'BEGIN',
  'COMMIT',
])

const golden = readGolden()
const middle = 250
const fillers = 4
let dstore: DStore
let address: Address
let scratch: string

before(async () => {
  dstore = new DStore({ firstOffset: 1_000n })
  address = await dstore.start()
  const entries = golden.map(({ bytes }, i) => ({ value: bytes, timestamp: goldenStart + i }))
  await dstore.append(entries.slice(0, middle + 100))
  await dstore.filler(fillers)
  await dstore.append(entries.slice(middle + 100))
  scratch = mkdtempSync(join(tmpdir(), 'rig-alibaba-sdk-'))
})

after(async () => {
  await dstore.stop()
  rmSync(scratch, { recursive: true, force: true })
})

type Line = GoldenRecord['sdk'] & { readonly offset: number }

async function consumeWithSdk(checkpoint: number, count: number): Promise<Line[]> {
  const broker = `${address.host}:${address.port}`
  const output = join(scratch, 'records.jsonl')
  const { topic, sid, user, password } = dstore
  const args = [broker, topic, sid ?? '', user, password, String(checkpoint), String(count), output]
  await runGolden('Consume', args, scratch)
  return readFileSync(output, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

async function consumeWithOurs(checkpoint: number, end: bigint): Promise<LogRecord[]> {
  const config = testConfig({
    ROUTES: '{}',
    DTS_BROKER_URL: `${address.host}:${address.port}`,
    DTS_TOPIC: dstore.topic,
    DTS_SID: dstore.sid ?? '',
    DTS_USER: dstore.user,
    DTS_PASSWORD: dstore.password,
    DTS_CHECKPOINT: String(checkpoint),
    CHECKPOINT_TABLE: 'unused',
  })
  const stream = await openStream(config, { username: dstore.userName, password: dstore.password })
  try {
    const records: LogRecord[] = []
    let next = await stream.offsetForTime(checkpoint)
    assert.ok(next !== null)
    while (next < end) {
      const fetched = await stream.fetch(next, { maxBytes: 1 << 20, maxWaitMs: 1_000 })
      assert.ok(fetched.nextOffset > next)
      records.push(...fetched.records)
      next = fetched.nextOffset
    }
    return records
  } finally {
    await stream.close()
  }
}

test('Alibaba’s consumer reports the same changes from the emulator as our reader, in the same order', async () => {
  const checkpoint = goldenStart + middle
  const expected = golden.slice(middle)
  const theirs = await consumeWithSdk(checkpoint, expected.length)

  const all = await consumeWithOurs(checkpoint, dstore.range.end)
  assert.equal(all.length, expected.length + fillers)
  const ours = all.flatMap(({ offset, value }) => {
    if (value === null || value.length <= 2) return []
    const { id, operation, objectName } = readHeader(value)
    const names = objectName?.split('.').map(unescapeName)
    return [
      {
        offset: Number(offset),
        id: String(id),
        operation: sdkOperations.has(operation) ? operation : 'UNKNOWN',
        database: names?.[0] ?? null,
        table: names !== undefined && names.length > 1 ? names.at(-1) : null,
      },
    ]
  })
  assert.equal(ours[0]?.offset, 1_000 + middle)
  assert.deepEqual(
    theirs.map(({ offset, id, operation, database, table }) => ({ offset, id, operation, database, table })),
    ours,
  )
  // With a network in between as without.
  assert.deepEqual(
    theirs.map(({ offset, ...view }) => view),
    expected.map((record) => record.sdk),
  )
  assert.ok(readdirSync(scratch).some((file) => file.startsWith('localCheckpointStore')))
  // It commits the offset of the last acknowledged record, with that record's time.
  const commit = dstore.committed(dstore.sid ?? '')
  const committed = theirs.find(({ offset }) => offset === Number(commit?.offset))
  assert.ok(committed !== undefined, `committed ${commit?.offset}`)
  assert.equal(commit?.metadata, committed.timestamp)
})
