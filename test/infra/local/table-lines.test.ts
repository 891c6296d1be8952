import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Handled } from '../../../infra/local/observations.ts'
import { TableLines } from '../../../infra/local/table-lines.ts'
import { findTables } from '../../../infra/tables.ts'

const handled = (table: string): Handled => ({
  kind: 'handled',
  worker: 1,
  function: 'orders',
  table,
  operation: 'INSERT',
  key: '',
  offset: '4',
  generation: 1,
  id: '1',
  replay: false,
})

async function linesOf(
  t: { after(end: () => void): void },
  table: string,
  correct: (file: string) => void = () => {},
): Promise<TableLines> {
  const root = mkdtempSync(join(tmpdir(), 'dts-functions-tables-'))
  t.after(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'functions/tables'), { recursive: true })
  const library = new URL('../../../lib/index.ts', import.meta.url)
  const zod = import.meta.resolve('zod')
  writeFileSync(
    join(root, 'functions/tables/orders.ts'),
    `import { defineTable } from '${library}'\nimport * as z from '${zod}'\nexport const handler = defineTable({\n` +
      `  table: ${table},\n  row: z.looseObject({}),\n  onChange() {},\n})\n`,
  )
  const handlers = await findTables(join(root, 'functions/tables'))
  correct(join(root, 'functions/tables/orders.ts'))
  return new TableLines(handlers, root)
}

test('a table without a handler has a line, with the number of its changes', async (t) => {
  const lines = await linesOf(t, "'shop.orders'")
  lines.produced('shop.orders', 1)
  lines.produced('shop.payments', 2)
  assert.deepEqual(
    lines.lines.map(({ table, note }) => [table, note]),
    [
      ['shop.orders', undefined],
      ['shop.payments', 'skipped: no handler (2 changes)'],
    ],
  )
})

test('a table or pattern that the stream does not have has a line, with file and line', async (t) => {
  const lines = await linesOf(t, "['shop.ordres', 'crm_*.notes', 'shop.orders']")
  lines.produced('shop.orders', 1)
  assert.deepEqual(
    lines.lines.map(({ table, note }) => [table, note]),
    [
      ['shop.orders', undefined],
      ['shop.ordres', 'nothing: the stream has no such table (functions/tables/orders.ts:4)'],
      ['crm_*.notes', 'nothing: the stream has no such table (functions/tables/orders.ts:4)'],
    ],
  )
})

for (const [correct, what] of [
  [(file: string) => writeFileSync(file, "table: 'shop.orders'"), 'was corrected'],
  [(file: string) => rmSync(file), 'was removed'],
] as const) {
  test(`a file that ${what} since the start is no longer said to be wrong`, async (t) => {
    const { lines } = await linesOf(t, "'shop.ordres'", correct)
    assert.deepEqual(lines, [])
  })
}

test('a catch-all matches whatever the stream has', async (t) => {
  const lines = await linesOf(t, "'*'")
  assert.deepEqual(lines.lines, [])
})

test('of many tables without a handler, the busiest have lines of their own', async (t) => {
  const lines = await linesOf(t, "'shop.orders'")
  lines.produced('shop.orders', 1)
  for (let at = 1; at <= 20; at++) lines.produced(`log.t${at}`, at)
  const skipped = lines.lines.filter(({ note }) => note?.startsWith('skipped'))
  assert.equal(skipped.length, 9)
  assert.deepEqual([skipped[0]?.table, skipped[8]?.table], ['log.t20', 'other tables'])
  assert.equal(skipped[8]?.note, 'skipped: no handler (12 tables)')
})

test('a table that a later build handles is no longer skipped', async (t) => {
  const lines = await linesOf(t, "'shop.orders'")
  lines.produced('shop.payments', 2)
  lines.observe([handled('shop.payments')])
  const line = lines.lines.find(({ table }) => table === 'shop.payments')
  assert.deepEqual([line?.handled, line?.note], [1, undefined])
})
