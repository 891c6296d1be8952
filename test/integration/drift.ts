import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeRecord, integer, text } from '../../infra/local/encode.ts'
import type { NewRecord } from '../support/parts.ts'
import { recommended } from '../support/recommended.ts'
import { range, shift, t0, Writer } from '../support/records.ts'
import type { Start } from '../support/world.ts'

const halting = { ROUTES: '{"shop.orders":{"function":"orders","attempts":100,"onDrift":"halt"}}' }

/** An order of a table that has the column `note` now. */
function withNote(id: number): NewRecord {
  const value = encodeRecord({
    operation: 'INSERT',
    objectName: 'shop.orders',
    sourceTimestamp: t0 + id,
    sourcePosition: `note-${id}@binlog`,
    sourceTxid: `note-${id}`,
    fields: [
      ['id', 8],
      ['status', 253],
      ['unread', 253],
      ['note', 252],
    ],
    after: [integer(id), text('new'), text('never asked for'), text('a note')],
    tags: { pk_uk_info: '{"PRIMARY":["id"]}' },
  })
  return { value, timestamp: t0 + id }
}

export function driftTests(start: Start): void {
  describe('a column that a table gets', () => {
    const write = new Writer()
    const before = write.inserts('shop.orders', 0, 4)
    const alter = write.ddl('shop.orders', 'ALTER TABLE orders ADD note TEXT', t0 + 5)
    const after = range(5, 7).map(withNote)

    test('is reported once and delivered, and inspect shows since when the table has it', async (t) => {
      const world = await start(t)
      await world.source.append([...before, alter, ...after])
      const [{ drifts } = { drifts: [] }] = await world.pollToEnd()
      assert.deepEqual(drifts, [{ table: 'shop.orders', offset: '6', added: 'note', lost: '', retyped: '' }])
      assert.deepEqual(
        world.ids('orders').filter((what) => typeof what === 'number'),
        range(0, 7),
      )

      const { columns, stored } = await world.inspect()
      assert.deepEqual(
        columns?.tables.map(({ table, versions }) => [
          table,
          versions.map(({ version, generation, offset, added }) => [version, generation, offset, added]),
        ]),
        [
          [
            'shop.orders',
            [
              [1, stored?.generation, '0', []],
              [2, stored?.generation, '6', ['note']],
            ],
          ],
        ],
      )

      await world.source.append(range(8, 9).map(withNote))
      await world.reset({ to: { offset: '2' } })
      const later = await world.pollToEnd()
      assert.deepEqual(
        later.flatMap((summary) => summary.drifts),
        [],
      )
    })

    test('is no news on another cluster', async (t) => {
      const world = await start(t)
      await world.source.append([...before, alter, ...after])
      await world.pollToEnd()
      await world.source.switchCluster([...shift(), ...before, alter, ...after, withNote(8)])
      await assert.rejects(world.poll(), { code: 'CLUSTER_CHANGED' })
      await world.reset()
      const later = await world.pollToEnd()
      assert.deepEqual(
        later.flatMap((summary) => summary.drifts),
        [],
      )
      assert.equal((await world.inspect()).columns?.tables[0]?.versions.length, 2)
    })

    test('halts a stream that asks for it, and the resume that inspect recommends delivers every change once', async (t) => {
      const world = await start(t)
      await world.source.append([...before, ...after])
      await assert.rejects(world.poll({ environment: halting }), {
        code: 'COLUMNS_CHANGED',
        message: /shop\.orders differ from offset 5 on \(new: note\)/,
      })
      assert.deepEqual(world.ids('orders'), range(0, 4))
      const inspection = await world.inspect(halting)
      assert.match(inspection.advice, /A resume accepts these columns/)
      const event = recommended(inspection)
      assert.deepEqual(event, { action: 'resume' })
      await world.recover(event, halting)
      await world.pollToEnd({ environment: halting })
      assert.deepEqual(world.ids('orders'), range(0, 7))
    })
  })
}
