import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timedRecords } from '../../../lib/log/scan.ts'
import { open } from '../../support/open-stream.ts'
import { Writer } from '../../support/records.ts'

test('a scan reads exactly the records of its part of the log', async (t) => {
  const { stream } = await open(t, new Writer().inserts('a.b', 0, 9))
  const offsets: bigint[] = []
  for await (const { offset } of timedRecords(stream, 2n, 6n)) offsets.push(offset)
  assert.deepEqual(offsets, [2n, 3n, 4n, 5n])
})
