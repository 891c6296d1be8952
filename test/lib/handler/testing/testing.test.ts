import '../../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import * as z from 'zod'
import type { RowChange } from '../../../../lib/dts/change.ts'
import { changeFromJson, stringifyChange } from '../../../../lib/dts/json.ts'
import { defineTable } from '../../../../lib/handler/define-table.ts'
import {
  changesOf,
  deliver,
  pseudonym,
  readChanges,
  testMaskKey,
} from '../../../../lib/handler/testing/index.ts'

const row = z.object({ id: z.bigint(), total: z.string(), paid_at: z.string().nullable() })
const seven = { id: 7n, total: '12.30', paid_at: null }

function recorder() {
  const seen: RowChange[] = []
  const handler = defineTable({ table: 'shop.orders', row, onChange: (change) => void seen.push(change) })
  return { seen, handler }
}

describe('changesOf', () => {
  test('makes changes that the handler gets with rows, keys, rising positions and times', async () => {
    const { seen, handler } = recorder()
    const make = changesOf(handler, { keys: ['id'] })
    const paid = { ...seven, paid_at: '2026-01-01T00:00:00.000000Z' }
    await deliver(handler, [make.insert(seven), make.update(seven, paid), make.delete(paid)])
    assert.deepEqual(
      seen.map(({ operation }) => operation),
      ['INSERT', 'UPDATE', 'DELETE'],
    )
    const [, update] = seen
    assert.ok(update?.operation === 'UPDATE')
    assert.deepEqual([update.changed('paid_at'), update.changed('total')], [true, false])
    assert.deepEqual([{ ...update.after }, update.keys, update.table], [paid, ['id'], 'shop.orders'])
    assert.deepEqual(
      seen.map(({ timestamp, sourcePosition }) => [timestamp, sourcePosition]),
      [
        [1_767_225_600, '1@1'],
        [1_767_225_601, '2@1'],
        [1_767_225_602, '3@1'],
      ],
    )
    assert.equal(new Set(seen.map(({ idempotencyKey }) => idempotencyKey)).size, 3)
  })

  test('makes statements for onDdl', async () => {
    const statements: string[] = []
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onChange: () => {},
      onDdl: ({ statement }) => void statements.push(statement),
    })
    const { handled } = await deliver(handler, [changesOf(handler).ddl('ALTER TABLE orders ADD x INT')])
    assert.deepEqual([handled, statements], [1, ['ALTER TABLE orders ADD x INT']])
  })

  test('needs the table of a handler that takes several', () => {
    const handler = defineTable({ table: ['shop.a', 'shop.b_*'], row, onChange: () => {} })
    assert.throws(() => changesOf(handler), { code: 'CONFIG_INVALID', message: /shop\.a, shop\.b_\*/ })
    assert.equal(changesOf(handler, { table: 'shop.b_1' }).insert(seven).table, 'shop.b_1')
  })
})

describe('deliver', () => {
  test('reports how many changes are done before one fails, and its error', async () => {
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onChange({ operation }) {
        if (operation === 'DELETE') throw new RangeError('no deletes')
      },
    })
    const make = changesOf(handler)
    const { handled, error } = await deliver(handler, [
      make.insert(seven),
      make.delete(seven),
      make.insert(seven),
    ])
    assert.equal(handled, 1)
    assert.ok(error instanceof RangeError)
  })

  test("reports the changes before a run's failedAt", async () => {
    const failing = new Error('third')
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onBatch: () => ({ failedAt: 2, error: failing }),
    })
    const make = changesOf(handler)
    const changes = Array.from({ length: 4 }, () => make.insert(seven))
    assert.deepEqual(await deliver(handler, changes), { handled: 2, filtered: 0, error: failing })
  })

  test('refuses a row that the schema refuses, as the deployed function does', async () => {
    const { handler } = recorder()
    const wrong = { ...seven, total: 12.3 } as unknown as typeof seven
    const { handled, error } = await deliver(handler, [changesOf(handler).insert(wrong)])
    assert.equal(handled, 0)
    assert.equal((error as { code?: string }).code, 'ROW_INVALID')
  })

  test('leaves out what operations and filter leave out, before the handler is called', async () => {
    const seen: [string, bigint][] = []
    const handler = defineTable({
      table: 'shop.orders',
      row: z.object({ id: z.bigint() }),
      operations: ['INSERT', 'UPDATE'],
      // The row schema does not declare the column.
      filter: { where: "status = 'paid'" },
      onInsert: ({ after }) => void seen.push(['insert', after.id]),
      onUpdate: ({ after }) => void seen.push(['update', after.id]),
    })
    const make = changesOf(handler)
    const changes = [
      make.insert({ id: 1n, status: 'open' }),
      make.insert({ id: 2n, status: 'paid' }),
      make.update({ id: 2n, status: 'paid' }, { id: 2n, status: 'open' }),
      make.delete({ id: 2n, status: 'paid' }),
    ]
    assert.deepEqual(await deliver(handler, changes), { handled: 2, filtered: 2, error: null })
    assert.deepEqual(seen, [
      ['insert', 2n],
      ['update', 2n],
    ])
    assert.deepEqual(await deliver(handler, changes.slice(0, 1)), { handled: 0, filtered: 1, error: null })
  })

  test('masks as the poller does, after the filter', async () => {
    const seen: unknown[] = []
    const handler = defineTable({
      table: 'shop.orders',
      row: z.looseObject({ id: z.bigint(), email: z.string() }),
      filter: { where: "email like '%@x'" },
      mask: { email: 'hash', phone: 'drop' },
      onUpdate: (change) => void seen.push(change.before, change.after, change.changed('email')),
    })
    const before = { id: 1n, email: 'a@x', phone: '0123' }
    const update = changesOf(handler).update(before, { ...before, email: 'b@x' })
    assert.deepEqual(await deliver(handler, [update]), { handled: 1, filtered: 0, error: null })
    const hashed = (email: string, key = testMaskKey) => ({ id: 1n, email: pseudonym(email, key) })
    assert.deepEqual(seen.splice(0), [hashed('a@x'), hashed('b@x'), true])
    await deliver(handler, [update], { maskKey: 'another key' })
    assert.deepEqual(seen[0], hashed('a@x', 'another key'))
  })

  test('ends at a change that the filter cannot judge, with its error', async () => {
    const seen: bigint[] = []
    const handler = defineTable({
      table: 'shop.orders',
      row: z.object({ id: z.bigint() }),
      filter: { where: "status = 'paid'" },
      onChange: (change) => void ('after' in change && seen.push(change.after.id)),
    })
    const make = changesOf(handler)
    const [open, paid] = [make.insert({ id: 1n, status: 'open' }), make.insert({ id: 2n, status: 'paid' })]
    const { error, ...counts } = await deliver(handler, [open, paid, make.insert({ id: 3n }), paid])
    assert.deepEqual([counts, seen], [{ handled: 1, filtered: 1 }, [2n]])
    assert.equal((error as { code?: string }).code, 'COLUMN_UNKNOWN')
  })

  test('marks replays', async () => {
    const { seen, handler } = recorder()
    const make = changesOf(handler)
    await deliver(handler, [make.insert(seven)], { replay: true })
    await deliver(handler, [make.insert(seven)])
    assert.deepEqual(
      seen.map(({ replay }) => replay),
      [true, false],
    )
  })

  test('stops after the change at which the time runs short, without an error', async () => {
    const { handler } = recorder()
    const make = changesOf(handler)
    const changes = [make.insert(seven), make.insert(seven), make.insert(seven)]
    assert.deepEqual(await deliver(handler, changes, { remainingMs: 0 }), {
      handled: 1,
      filtered: 0,
      error: null,
    })
  })

  test('keeps the counts of deliveries at the same time apart', async () => {
    const { handler } = recorder()
    const make = changesOf(handler)
    const counts = await Promise.all(
      [1, 2, 3].map((count) =>
        deliver(
          handler,
          Array.from({ length: count }, () => make.insert(seven)),
        ),
      ),
    )
    assert.deepEqual(
      counts.map(({ handled }) => handled),
      [1, 2, 3],
    )
  })

  test('refuses an empty list', async () => {
    const { handler } = recorder()
    await assert.rejects(deliver(handler, []), { code: 'CONFIG_INVALID' })
  })
})

describe('readChanges', () => {
  test('reads the lines that tail writes, and names the line of a mistake', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'fixture-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const { handler } = recorder()
    const make = changesOf(handler)
    const changes = [make.insert(seven), make.delete(seven)]
    const lines = changes.map((json) => stringifyChange(changeFromJson(json)))
    const file = join(folder, 'orders.jsonl')
    writeFileSync(file, `${lines.join('\n')}\n\n`)
    assert.equal(JSON.stringify(readChanges(file)), JSON.stringify(changes))
    writeFileSync(file, `${lines[0]}\n{"operation":"INSERT"}\n`)
    assert.throws(() => readChanges(file), { code: 'CHANGE_JSON_INVALID', message: /orders\.jsonl:2: / })
  })
})
