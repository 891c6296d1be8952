import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { caseNames } from '../../bench/case.ts'
import { performancePage } from '../../bench/document.ts'
import { judge, replaceCases, resultSchema } from '../../bench/result.ts'

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
const result = resultSchema.parse(JSON.parse(read('bench/results.json')))

test('docs/performance.md is what the bench writes from its stored result', () => {
  assert.equal(read('docs/performance.md'), performancePage(result), 'run: npm run bench -- --page')
})

test('the page has each case with its table, and says which goals were missed', () => {
  const page = performancePage(result)
  for (const name of caseNames) {
    const { rows, goals } = result.cases[name] ?? { rows: [], goals: [] }
    assert.ok(rows.length > 1, name)
    assert.ok(page.includes(`\`--case ${name}\``), name)
    for (const row of rows) assert.ok(page.includes(`| ${row.name}`), row.name)
    for (const { row, isMet } of goals) {
      assert.ok(page.includes(`- ${isMet ? 'Reached' : '**Missed**'}: ${row}`), `${name}: ${row}`)
    }
  }
})

test('a result without one of the cases is refused', () => {
  const { idle: _idle, ...cases } = result.cases
  assert.throws(() => performancePage({ ...result, cases }), /lacks the case idle/)
})

test('the cases of a new run replace the stored ones, and the others stay', () => {
  const { limit, routes } = result.cases
  assert.ok(limit !== undefined && routes !== undefined)
  const measured = { ...limit, rounds: 7, load: [0.5, 1.5] as [number, number] }
  const replaced = replaceCases(result, { ...result, cases: { limit: measured } })
  assert.deepEqual(replaced.cases.limit, measured)
  assert.deepEqual(replaced.cases.routes, routes)
  const page = performancePage(replaced)
  assert.ok(page.includes('Asked for 7 rounds. Ready to run: 0.5 processes before, 1.5 after.'))
  const elsewhere = { machine: { ...result.machine, processors: 96 }, cases: { limit: measured } }
  assert.throws(() => replaceCases(result, elsewhere), /"processors":96.*: measure all cases\./)
})

test('a goal is judged by the median, and one without a figure is refused', () => {
  const rows = [{ name: 'a', figures: { b: { median: 1.5, low: 1, high: 9 } } }]
  assert.deepEqual(
    judge(rows, [
      { row: 'a', column: 'b', atMost: 1.5 },
      { row: 'a', column: 'b', atLeast: 1.6 },
    ]).map(({ isMet }) => isMet),
    [true, false],
  )
  assert.throws(() => judge(rows, [{ row: 'a', column: 'c', atMost: 1 }]), RangeError)
})
