import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { startDynalite } from '../../infra/local/dynalite.ts'
import { startPlainSource } from '../support/dstore-source.ts'
import { range, Writer } from '../support/records.ts'
import { type Rig, startRig } from '../support/world.ts'

describe('a plain topic with two partitions', () => {
  let rig: Rig
  before(async () => {
    const stop = async () => {}
    rig = await startRig({ name: '', startDynamo: startDynalite, startSource: startPlainSource, stop })
  })
  after(() => rig.stop())

  /** Its pollers, each after a first run. The emulator has records in partition 0 only. */
  async function started(t: TestContext) {
    const world = await rig.start(t, { name: 'erp', partitions: 2 })
    const write = new Writer()
    await world.source.append(write.inserts('shop.orders', 0, 4))
    const common = { DTS_PARTITIONS: '2' }
    const poll = (partition: number) =>
      world.poll({ environment: { ...common, DTS_PARTITION: String(partition) } })
    const recover = (event: object) => world.recover(event, common)
    const first = [await poll(0), await poll(1)]
    return { world, write, poll, recover, first }
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
