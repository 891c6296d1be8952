import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { range, Writer } from '../support/records.ts'
import type { Start } from '../support/world.ts'

/** A topic with two partitions, and what works on each of them. */
async function withPartitions(start: Start, t: TestContext) {
  const world = await start(t, { name: 'erp', partitions: 2 })
  const common = { DTS_PARTITIONS: '2' }
  return {
    world,
    write: new Writer(),
    poll: (partition: number) => world.poll({ environment: { ...common, DTS_PARTITION: String(partition) } }),
    recover: (event: object) => world.recover(event, common),
  }
}

export function partitionTests(start: Start): void {
  describe('a plain topic with two partitions', () => {
    /** After a first run of each poller, with records in partition 0 only. */
    async function started(t: TestContext) {
      const parts = await withPartitions(start, t)
      const { world, write, poll } = parts
      await world.source.append(write.inserts('shop.orders', 0, 4))
      return { ...parts, first: [await poll(0), await poll(1)] }
    }

    test('has a poller for each partition, also for one without records, and each has its own position', async (t) => {
      const { world, poll, first, write } = await started(t)
      assert.deepEqual(world.ids('orders'), range(0, 4))
      assert.deepEqual(
        first.map(({ from, to }) => [from, to]),
        [
          ['0', '5'],
          ['0', '0'],
        ],
      )
      await world.source.append(write.inserts('shop.orders', 5, 6))
      await poll(1)
      await poll(0)
      assert.deepEqual(world.ids('orders'), range(0, 6))
    })

    test('has one recovery, which works on the partition that the event names', async (t) => {
      const { world, write, poll, recover } = await started(t)
      await recover({ action: 'pause', partition: 1 })
      await world.source.append(write.inserts('shop.orders', 5, 6))
      await poll(0)
      assert.deepEqual(world.ids('orders'), range(0, 6))
      await assert.rejects(poll(1), {
        code: 'STREAM_HALTED',
        message: /-f recovery-erp --data '\{"action":"inspect","partition":1\}'/,
      })
      await assert.rejects(recover({ action: 'resume' }), {
        code: 'CONFIG_INVALID',
        message: /each of its partitions, 0 to 1, and the event names none/,
      })
      await recover({ action: 'resume', partition: 1 })
      await poll(1)
    })

    test('is examined partition by partition', async (t) => {
      const { recover } = await started(t)
      const answers = [
        await recover({ action: 'inspect', partition: 0 }),
        await recover({ action: 'inspect', partition: 1 }),
      ]
      const offsets = answers.map((answer) => (answer.action === 'inspect' ? answer.stored?.offset : null))
      assert.deepEqual(offsets, ['5', '0'])
    })
  })
}

/** On a broker that has records in every partition. */
export function filledPartitionTests(start: Start): void {
  describe('a plain topic with records in both partitions', () => {
    test('delivers each partition in its order, and a halted partition does not stop the other one', async (t) => {
      const { world, write, poll, recover } = await withPartitions(start, t)
      const { source } = world
      await source.append(write.inserts('shop.orders', 0, 9), 0)
      await source.append(write.inserts('shop.customers', 0, 19), 1)
      const [first, second] = [await poll(0), await poll(1)]
      assert.deepEqual([first.to, second.to], ['10', '20'])
      assert.deepEqual([world.ids('orders'), world.ids('customers')], [range(0, 9), range(0, 19)])

      await recover({ action: 'pause', partition: 1 })
      await source.append(write.inserts('shop.orders', 10, 14), 0)
      await source.append(write.inserts('shop.customers', 20, 24), 1)
      await poll(0)
      await assert.rejects(poll(1), { code: 'STREAM_HALTED' })
      assert.deepEqual([world.ids('orders'), world.ids('customers')], [range(0, 14), range(0, 19)])

      await recover({ action: 'resume', partition: 1 })
      await poll(1)
      assert.deepEqual(world.ids('customers'), range(0, 24))
    })

    test('moves the checkpoint of one partition only', async (t) => {
      const { world, write, poll, recover } = await withPartitions(start, t)
      await world.source.append(write.inserts('shop.orders', 0, 4), 0)
      await world.source.append(write.inserts('shop.customers', 0, 4), 1)
      await poll(0)
      await poll(1)
      await recover({ action: 'reset', to: { offset: '2' }, partition: 1 })
      await poll(0)
      await poll(1)
      assert.deepEqual(world.ids('orders'), range(0, 4))
      assert.deepEqual(world.ids('customers'), [...range(0, 4), ...range(2, 4)])
    })
  })
}
