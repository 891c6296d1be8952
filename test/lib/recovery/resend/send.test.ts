import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordOverhead } from '../../../../lib/dispatch/batch-format.ts'
import { maxBatchBytes } from '../../../../lib/dispatch/settings.ts'
import { firstBatch } from '../../../../lib/recovery/resend/send.ts'
import { eventOf, eventsAt } from '../../../support/dispatch.ts'

test('one invocation gets as many changes as it can process, at most 500', () => {
  const events = eventsAt(...Array.from({ length: 600 }, (_, at) => at))
  assert.deepEqual(firstBatch(events), events.slice(0, 500))
  assert.deepEqual(firstBatch(events.slice(0, 500)), events.slice(0, 500))
  assert.deepEqual(firstBatch(events.slice(0, 3)), events.slice(0, 3))
  assert.deepEqual(firstBatch([]), [])
})

test('one invocation gets as many bytes as a batch may have, or one larger change alone', () => {
  const half = Buffer.alloc(maxBatchBytes / 2 - recordOverhead)
  const exact = [eventOf(0n, half), eventOf(1n, half)]
  assert.equal(firstBatch([...exact, eventOf(2n, Buffer.alloc(1))]).length, 2)
  assert.equal(firstBatch([eventOf(0n, half), eventOf(1n, Buffer.alloc(half.length + 1))]).length, 1)
  const large = eventOf(0n, Buffer.alloc(maxBatchBytes + 1))
  assert.deepEqual(firstBatch([large, eventOf(1n, Buffer.alloc(1))]), [large])
})
