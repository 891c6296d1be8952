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

/** Each event around a hand-over, and how often it must happen at least. */
const handOvers: readonly (readonly [what: string, times: number])[] = [
  ['a run asked for the lease', 1_000],
  ['two runs asked for one lease', 100],
  ['a wish was delayed', 20],
  ['a late wish was refused', 5],
  ['the wish of a dead run arrived', 2],
  ['a lease was released for a run that asked', 1_000],
  ['the run that asked was dead at the release', 1],
  ['a run died between the release and its lease', 10],
  ['the run that asked took the lease', 1_000],
  ['another run took the lease after the release', 50],
]

test('runs hand the lease over, and die or come late at each step of it', () => {
  const rare = handOvers.filter(([what, times]) => (report.happenings[`hand-over: ${what}`] ?? 0) < times)
  assert.deepEqual(
    rare.map(([what]) => `${what}: ${report.happenings[`hand-over: ${what}`] ?? 0}`),
    [],
  )
})

test('functions receive transactions whole, and in each kind of part', () => {
  for (const part of ['whole', 'first', 'middle', 'last'])
    assert.ok((report.happenings[`transaction: ${part}`] ?? 0) > 100, part)
})

test('every kind of route receives changes, and some changes have no route', () => {
  for (const kind of routings) assert.ok((report.happenings[`routed: ${kind}`] ?? 0) > 50, kind)
})
