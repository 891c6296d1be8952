import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { decodeChange } from '../../lib/dts/decode-change.ts'
import { carriesChange, readHeader } from '../../lib/dts/header.ts'
import { openStream } from '../../lib/kafka/open-stream.ts'
import type { LogRecord } from '../../lib/kafka/records.ts'
import { goldenFile, goldenStart, readGolden } from '../fixtures/golden/corpus.ts'
import { runGolden } from '../rig/java.ts'
import { type KafkaBroker, startKafka } from '../rig/kafka.ts'
import { testConfig } from '../support/test-config.ts'

const topic = 'golden'
const golden = readGolden()

async function readTopic(kafka: KafkaBroker, from: number, sasl: boolean): Promise<LogRecord[]> {
  const login = sasl ? { DTS_USER: kafka.user, DTS_PASSWORD: kafka.password } : {}
  const config = testConfig({
    ROUTES: '{}',
    DTS_BROKER_URL: kafka.bootstrap,
    DTS_TOPIC: topic,
    DTS_GROUP: 'golden-readers',
    CHECKPOINT_TABLE: 'unused',
    ...login,
  })
  const credentials = sasl ? { username: kafka.user, password: kafka.password } : null
  const stream = await openStream(config, credentials)
  try {
    const { end } = await stream.range()
    assert.equal(end, BigInt(golden.length))
    const records: LogRecord[] = []
    let next = await stream.offsetForTime(from)
    assert.ok(next !== null)
    while (next < end) {
      const fetched = await stream.fetch(next, { maxBytes: 64 << 10, maxWaitMs: 1_000 })
      assert.ok(fetched.nextOffset > next)
      records.push(...fetched.records)
      next = fetched.nextOffset
    }
    return records
  } finally {
    await stream.close()
  }
}

const scratch = mkdtempSync(join(tmpdir(), 'rig-golden-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

test('records.jsonl is what golden.Write writes', async () => {
  const written = join(scratch, 'records.jsonl')
  await runGolden('Write', [written], scratch)
  assert.ok(
    readFileSync(written).equals(readFileSync(goldenFile)),
    'records.jsonl and test/rig/java disagree',
  )
})

for (const release of ['era', 'current'] as const) {
  for (const sasl of release === 'era' ? [true] : [true, false]) {
    test(`records of Alibaba’s classes are read back unchanged from Kafka (${release}, ${sasl ? 'SASL' : 'no login'})`, async () => {
      const kafka = await startKafka({ release, sasl })
      try {
        await kafka.createTopic(topic)
        const login = sasl ? [kafka.user, kafka.password] : []
        const printed = await runGolden('Produce', [kafka.bootstrap, topic, goldenFile, ...login], scratch)
        assert.match(printed, new RegExp(`^produced ${golden.length}$`, 'm'))

        const middle = 300
        for (const first of [0, middle]) {
          const records = await readTopic(kafka, goldenStart + first, sasl)
          assert.deepEqual(
            records.map(({ offset, value }) => [offset, value?.toString('base64')]),
            golden.map(({ bytes }, i) => [BigInt(i), bytes.toString('base64')]).slice(first),
          )
          for (const { offset, value } of records) {
            assert.ok(value !== null)
            const header = readHeader(value)
            if (!carriesChange(header.operation)) continue
            const change = decodeChange(value, header, { offset, generation: 1, replay: false })
            const { expected } = golden[Number(offset)] ?? assert.fail()
            if ('after' in change) assert.deepEqual({ ...change.after }, { ...expected.after })
            if ('before' in change) assert.deepEqual({ ...change.before }, { ...expected.before })
          }
        }
      } finally {
        await kafka.stop()
      }
    })
  }
}
