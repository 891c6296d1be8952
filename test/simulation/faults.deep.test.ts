import assert from 'node:assert/strict'
import { test } from 'node:test'
import { completeTests, worldTests } from './tests.ts'

const report = worldTests('faults', 5_000)
completeTests('faults', report)

const routings = [
  'exact',
  'pattern',
  'logical',
  'catch-all',
  'nobody',
  'physical over logical',
  'exact over pattern',
]

test('changes were routed by every kind of route, and by none', () => {
  for (const kind of routings) assert.ok((report.happenings[`routed: ${kind}`] ?? 0) > 100, kind)
})
