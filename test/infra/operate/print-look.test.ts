import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toEvent } from '../../../infra/operate/arguments.ts'
import { print } from '../../../infra/operate/print.ts'
import type { LookResult } from '../../../lib/recovery/examine/look.ts'

const change = {
  id: '1',
  offset: '7',
  operation: 'UPDATE',
  table: 'shop.orders',
  key: 'id=3',
  at: Date.UTC(2026, 10, 28),
  columns: [
    { name: 'id', before: '3', after: '3' },
    { name: 'status', before: "'new'", after: "'paid'" },
  ],
  text: null,
  functions: ['orders'],
  masked: ['email (hashed)'],
  withheld: null,
  fate: { kind: 'failing', reason: 'offset 7 failed 2 time(s)' },
} as const

const answer: LookResult = {
  action: 'look',
  clusterId: 'c1',
  range: { earliest: '0', end: '9' },
  read: { from: '5', to: '9', records: 4 },
  changes: [change],
  more: 2,
  unsearched: 0,
  tables: [],
  otherTables: 0,
  position: {
    clusterId: 'c1',
    offset: '6',
    generation: 1,
    begin: null,
    timestamp: 0,
    state: 'RUNNING',
    halt: null,
    lagSeconds: 4,
    ahead: {},
  },
  next: { to: { offset: '7' } },
  error: null,
  notes: ['Masked columns are shown as the handler gets them: hashed, or left out.'],
}

test('look prints each change with its difference, what became of it, and the command for older ones', () => {
  const call = toEvent('look --key id=3 --from-offset 2 --newest --stage prod'.split(' '))
  assert.ok(call !== null)
  assert.deepEqual(print(answer, call), [
    'UPDATE shop.orders id=3 at offset 7, 2026-11-28T00:00:00Z, orders, failing: offset 7 failed 2 time(s)',
    "         status: 'new' → 'paid'",
    '         masked: email (hashed)',
    '2 more changes in that part are not shown.',
    'Read 4 records, offsets 5 to 9 (exclusive). The log begins at 0, its next record gets 9; the checkpoint is at offset 6, RUNNING, 4 s late.',
    'Masked columns are shown as the handler gets them: hashed, or left out.',
    'To see older ones:',
    "  npm run recovery -- look --key 'id=3' --from-offset 2 --to-offset 7 --newest --stage prod",
  ])
})

test('look says why values are left out, and that nothing was found', () => {
  const call = toEvent(['look'])
  assert.ok(call !== null)
  const bare = { ...change, columns: [], masked: [], functions: [], withheld: 'No function gets this row.' }
  const lines = print({ ...answer, changes: [bare], next: null }, call)
  assert.ok(lines.includes('         No function gets this row.'), lines.join('\n'))
  assert.match(lines[0] ?? '', /no function, failing/)
  assert.equal(
    print({ ...answer, changes: [], position: null, next: null }, call)[0],
    'No such change there.',
  )
})
