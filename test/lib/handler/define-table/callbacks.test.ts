import '../../../rig/captured-log.ts'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeRecord, integer, text } from '../../../../infra/local/encode.ts'
import { defineTable } from '../../../../lib/handler/define-table.ts'
import { takeErrorLog, takeWarnings } from '../../../rig/captured-log.ts'
import { t0 } from '../../../support/records.ts'
import { batchOf, row, send, write } from './support.ts'

const table = 'shop.orders'
const each = [
  write.insert(table, 1, t0).value,
  encodeRecord({
    operation: 'INIT',
    objectName: table,
    sourceTimestamp: t0,
    fields: [
      ['id', 8],
      ['status', 253],
    ],
    after: [integer(2), text('new')],
  }),
  write.update(table, 1, t0).value,
  write.delete(table, 1, t0).value,
]

/** Callbacks that note their name and the operation. */
function notes() {
  const seen: string[] = []
  const note =
    (name: string) =>
    ({ operation }: { readonly operation: string }) =>
      void seen.push(`${name} ${operation}`)
  return { seen, note }
}

describe('callbacks of single operations', () => {
  test('get the changes of their operation in the order of the stream, and a row of a full copy is an insert', async () => {
    const { seen, note } = notes()
    const handler = defineTable({
      table,
      row,
      onInsert: note('onInsert'),
      onUpdate: note('onUpdate'),
      onDelete: note('onDelete'),
    })
    assert.equal((await send(handler, batchOf(each))).acknowledgedThrough, '103')
    assert.deepEqual(seen, ['onInsert INSERT', 'onInsert INIT', 'onUpdate UPDATE', 'onDelete DELETE'])
    assert.deepEqual(takeWarnings(), [])
  })

  test('have the images of their operation in their types', async () => {
    const seen: unknown[] = []
    const handler = defineTable({
      table,
      row,
      onInsert: ({ after }) => void seen.push(after.id),
      onUpdate: ({ before, after, changed }) => void seen.push(before.status, after.status, typeof changed),
      // @ts-expect-error: a deleted row has no after image
      onDelete: ({ before, after }) => void seen.push(before.id, after),
    })
    await send(handler, batchOf(each))
    assert.deepEqual(seen, [1n, 2n, 'new', 'paid', 'function', 1n, undefined])
  })

  test('leave the other operations to onChange', async () => {
    const { seen, note } = notes()
    const handler = defineTable({ table, row, onChange: note('onChange'), onDelete: note('onDelete') })
    await send(handler, batchOf(each))
    assert.deepEqual(seen, ['onChange INSERT', 'onChange INIT', 'onChange UPDATE', 'onDelete DELETE'])
  })

  test('get replays, which are marked', async () => {
    const seen: boolean[] = []
    const handler = defineTable({ table, row, onInsert: ({ replay }) => void seen.push(replay) })
    await send(handler, batchOf(each.slice(0, 2), { replayUntil: t0 }))
    assert.deepEqual(seen, [true, true])
  })

  test('fail their change by an error and by a value that means a failure', async () => {
    const failing: [returned: () => Promise<void>, message: RegExp][] = [
      [() => Promise.reject(new RangeError('canary')), /^RangeError was thrown/],
      [
        async () => ({ batchItemFailures: [] }) as unknown as undefined,
        /^onUpdate returned .*batchItemFailures/,
      ],
    ]
    for (const [onUpdate, message] of failing) {
      const handler = defineTable({ table, row, onInsert: () => {}, onUpdate })
      const { acknowledgedThrough, failure } = await send(handler, batchOf(each))
      assert.deepEqual([acknowledgedThrough, failure?.offset], ['101', '102'])
      assert.match(failure?.message ?? '', message)
    }
    takeErrorLog()
  })
})

test('a change without a callback counts as done, and the log says so once for each operation', async () => {
  const { seen, note } = notes()
  const handler = defineTable({ table, row, onUpdate: note('onUpdate') })
  for (let times = 0; times < 2; times++) {
    assert.equal((await send(handler, batchOf(each))).acknowledgedThrough, '103')
  }
  assert.deepEqual(seen, ['onUpdate UPDATE', 'onUpdate UPDATE'])
  const told = takeWarnings()
  assert.deepEqual(
    told.map((line) => /no callback for (\w+)/.exec(line)?.[1]),
    ['INSERT', 'INIT', 'DELETE'],
  )
})
