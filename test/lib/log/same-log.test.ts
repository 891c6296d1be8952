import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOf } from '../../../lib/dts/digest.ts'
import { requireSameLog } from '../../../lib/log/same-log.ts'
import { glance } from '../../../lib/log/scan.ts'
import { open } from '../../support/open-stream.ts'
import { Writer } from '../../support/records.ts'
import { like, only } from '../../support/streams.ts'

test('an empty answer of a throttled broker is not taken for a missing record', async (t) => {
  const { stream } = await open(t, new Writer().inserts('a.b', 0, 9))
  const { records } = await stream.fetch(4n, glance)
  const value = records.at(0)?.value ?? null
  const tail = { offset: 4n, digest: digestOf(value) }
  const position = { offset: 5n, tail, anchor: null, clusterId: stream.clusterId }
  await requireSameLog(position, stream)
  const throttled = like(stream, {
    async fetch(from, bounds) {
      const fetched = await stream.fetch(from, bounds)
      return { ...fetched, records: only(fetched.records, () => false), nextOffset: from }
    },
  })
  await assert.rejects(requireSameLog(position, throttled), { code: 'BROKER_FAILED', retryable: true })
})
