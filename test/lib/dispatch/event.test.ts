import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countThrough } from '../../../lib/dispatch/event.ts'
import { eventsAt } from '../../support/dispatch.ts'

test('an acknowledgement counts the events up to its offset, and none if the batch does not have that offset', () => {
  const events = eventsAt(3, 5, 9)
  const counts = [3n, 5n, 9n, 4n, 10n, null].map((through) => countThrough(events, through))
  assert.deepEqual(counts, [1, 2, 3, 0, 0, 0])
  assert.deepEqual([countThrough([], 3n), countThrough([], null)], [0, 0])
})
