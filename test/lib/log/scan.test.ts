import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DtsError } from '../../../lib/errors.ts'
import { timedRecords } from '../../../lib/log/scan.ts'
import { open } from '../../support/open-stream.ts'
import { Writer } from '../../support/records.ts'
import { like, only } from '../../support/streams.ts'

test('a scan reads exactly the records of its part of the log', async (t) => {
  const { stream } = await open(t, new Writer().inserts('a.b', 0, 9))
  const offsets: bigint[] = []
  for await (const { offset } of timedRecords(stream, 2n, 6n)) offsets.push(offset)
  assert.deepEqual(offsets, [2n, 3n, 4n, 5n])
})

test('a broken or empty answer below the end of the log does not end a scan', async (t) => {
  const { stream } = await open(t, new Writer().inserts('a.b', 0, 9))
  const faults = ['broken', 'empty', 'broken']
  const flawed = like(stream, {
    async fetch(from, bounds) {
      const fetched = await stream.fetch(from, bounds)
      const fault = faults.pop()
      if (fault === 'broken') throw new DtsError('BATCH_CORRUPT', 'damaged', { retryable: true })
      return fault === 'empty'
        ? { ...fetched, records: only(fetched.records, () => false), nextOffset: from }
        : fetched
    },
  })
  const offsets: bigint[] = []
  for await (const { offset } of timedRecords(flawed, 0n, 10n)) offsets.push(offset)
  assert.deepEqual(faults, [])
  assert.deepEqual(
    offsets,
    Array.from({ length: 10 }, (_, at) => BigInt(at)),
  )
})

test('a scan fails if the broker sends nothing below the end that it names', async (t) => {
  const { stream } = await open(t, new Writer().inserts('a.b', 0, 9))
  const scan = async () => {
    for await (const { offset } of timedRecords(stream, 5n, 20n)) assert.ok(offset < 10n)
  }
  await assert.rejects(scan, { code: 'BROKER_FAILED', retryable: true, facts: { offset: '10', end: '20' } })
})
