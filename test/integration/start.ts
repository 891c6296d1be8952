import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DtsError } from '../../lib/errors.ts'
import { range, t0, Writer } from '../support/records.ts'
import type { Start } from '../support/world.ts'

export function startTests(start: Start): void {
  describe('first start', () => {
    const forms: [form: string, checkpoint: string][] = [
      ['seconds', String(t0 + 5)],
      ['milliseconds', String((t0 + 5) * 1000)],
      ['ISO 8601 in UTC', new Date((t0 + 5) * 1000).toISOString()],
      ['ISO 8601 in another zone', new Date((t0 + 5 + 8 * 3600) * 1000).toISOString().replace('Z', '+08:00')],
    ]
    for (const [form, DTS_CHECKPOINT] of forms) {
      test(`DTS_CHECKPOINT in ${form} starts the stream at the record of that time`, async (t) => {
        const world = await start(t)
        await world.source.append(new Writer().inserts('shop.orders', 0, 9))
        const summary = await world.poll({ environment: { DTS_CHECKPOINT } })
        assert.equal(summary.from, '5')
        assert.deepEqual(world.ids('orders'), range(5, 9))
      })
    }

    test('a time between two records starts the stream at the later one', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append([write.insert('shop.orders', 1, t0), write.insert('shop.orders', 2, t0 + 9)])
      await world.poll({ environment: { DTS_CHECKPOINT: String(t0 + 4) } })
      assert.deepEqual(world.ids('orders'), [2])
    })

    test('after the first start, DTS_CHECKPOINT has no effect', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll({ environment: { DTS_CHECKPOINT: String(t0 + 5) } })
      await world.source.append(write.inserts('shop.orders', 10, 11))
      await world.poll({ environment: { DTS_CHECKPOINT: String(t0) } })
      assert.deepEqual(world.ids('orders'), range(5, 11))
    })

    const outside: [where: string, seconds: number][] = [
      ['before', t0 - 1],
      ['long before', t0 - 86_400],
      ['after', t0 + 10],
    ]
    for (const [where, seconds] of outside) {
      test(`a time ${where} the data range is refused, and the message names the range`, async (t) => {
        const world = await start(t)
        await world.source.append(new Writer().inserts('shop.orders', 0, 9))
        await assert.rejects(world.poll({ environment: { DTS_CHECKPOINT: String(seconds) } }), (error) => {
          assert.ok(error instanceof DtsError)
          assert.equal(error.code, 'CHECKPOINT_OUT_OF_RANGE')
          assert.ok(error.message.includes(`(${seconds})`), error.message)
          assert.ok(error.message.includes(`(${t0}) to `), error.message)
          assert.ok(
            error.message.includes(`(${t0 + 9}), offsets 0 to 9; the next record gets 10.`),
            error.message,
          )
          assert.deepEqual(error.facts, { seconds, first: t0, last: t0 + 9 })
          return true
        })
        assert.equal(await world.item(), undefined)
        assert.equal(world.lambda.total, 0)
      })
    }

    test('an empty stream refuses the first start', async (t) => {
      const world = await start(t)
      await assert.rejects(world.poll(), {
        code: 'CHECKPOINT_OUT_OF_RANGE',
        message: /holds no record of a time/,
      })
      assert.equal(await world.item(), undefined)
    })

    test('the first start without DTS_CHECKPOINT is refused', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await assert.rejects(world.poll({ environment: { DTS_CHECKPOINT: '' } }), {
        code: 'CHECKPOINT_MISSING',
        message: /DTS_CHECKPOINT does not say where to start/,
      })
      assert.equal(await world.item(), undefined)
      assert.equal(world.lambda.total, 0)
    })

    test("a deleted checkpoint does not start the stream again; a reset to the group's commit does", async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      await world.deleteItem()
      await assert.rejects(world.poll(), {
        code: 'CHECKPOINT_MISSING',
        message: /read it up to offset 10: the item was deleted.*"to":"committed"/,
      })
      assert.equal(await world.item(), undefined)
      await world.reset({ to: 'committed' })
      await world.poll()
      assert.deepEqual(world.ids('orders'), range(0, 9))
    })
  })
}
