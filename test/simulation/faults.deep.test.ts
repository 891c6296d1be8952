import assert from 'node:assert/strict'
import { test } from 'node:test'
import { completeTests, worldTests } from './tests.ts'

const report = worldTests('faults', 1_250)
completeTests('faults', report)

const routings = [
  'exact',
  'pattern',
  'logical',
  'catch-all',
  'no route',
  'physical over logical',
  'exact over pattern',
]

test('every kind of route receives changes, and some changes have no route', () => {
  for (const kind of routings) assert.ok((report.happenings[`routed: ${kind}`] ?? 0) > 50, kind)
})
