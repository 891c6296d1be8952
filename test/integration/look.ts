import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Writer } from '../support/records.ts'
import type { Start } from '../support/world.ts'

export function lookTests(start: Start): void {
  describe('look', () => {
    test('a look says of each change of a row whether it is done, and moves neither checkpoint nor group', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append([
        ...write.inserts('shop.orders', 0, 9),
        ...write.inserts('shop.refunds', 3, 3),
      ])
      await world.pollToEnd()
      await world.source.append([write.update('shop.orders', 3, 1_700_000_050)])
      const [item, before] = [await world.item(), await world.inspect()]
      const answer = await world.recover({ action: 'look', key: 'id=3' })
      assert.ok('action' in answer && answer.action === 'look', JSON.stringify(answer))
      assert.deepEqual(
        answer.changes.map(({ offset, operation, fate }) => [offset, operation, fate.kind]),
        [
          ['3', 'INSERT', 'done'],
          ['11', 'UPDATE', 'waiting'],
        ],
      )
      assert.deepEqual(answer.changes[1]?.columns[1], { name: 'status', before: "'new'", after: "'paid'" })
      assert.deepEqual([answer.unsearched, answer.next, answer.position?.offset], [1, null, '11'])
      assert.deepEqual([await world.item(), (await world.inspect()).group], [item, before.group])
    })
  })
}
