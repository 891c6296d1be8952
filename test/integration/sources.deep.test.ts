import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { range, shift, t0, Writer } from '../support/records.ts'
import { type Rig, startRig } from '../support/world.ts'
import { embedded } from './embedded.ts'

describe('two sources of one service, with one checkpoint table', () => {
  let rig: Rig
  before(async () => {
    rig = await startRig(embedded)
  })
  after(() => rig.stop())

  /** A stream without a name and a named one, both at the fifth change. */
  async function twoStreams(t: TestContext) {
    const write = { shop: new Writer('shop'), crm: new Writer('crm') }
    const shop = await rig.start(t)
    const crm = await rig.start(t, { name: 'crm' })
    const records = write.shop.inserts('shop.orders', 0, 4)
    await shop.source.append(records)
    await crm.source.append(write.crm.inserts('shop.orders', 100, 104, t0))
    await shop.poll()
    await crm.poll()
    return { shop, crm, write, records }
  }

  test('each has its own handlers, position and commit', async (t) => {
    const { shop, crm } = await twoStreams(t)
    assert.deepEqual(shop.ids('orders'), range(0, 4))
    assert.deepEqual(crm.ids('orders'), range(100, 104))
    assert.equal((await crm.item())?.pk?.S, `crm:${crm.source.topic}/0`)
    assert.deepEqual((await crm.item())?.offset, { N: '5' })
    const [ours, theirs] = [await shop.source.committed(), await crm.source.committed()]
    assert.match(ours?.metadata ?? '', /\|eu-central-1%2Fcheckpoints\|/)
    assert.match(theirs?.metadata ?? '', /\|eu-central-1%2Fcheckpoints%2Fcrm\|/)
  })

  test('after a cluster change of one, the other continues, and a reset moves only the one', async (t) => {
    const { shop, crm, write, records } = await twoStreams(t)
    const more = write.shop.inserts('shop.orders', 5, 9)
    await shop.source.switchCluster([...shift(), ...records, ...more])
    await assert.rejects(shop.poll(), { code: 'CLUSTER_CHANGED' })
    await crm.source.append(write.crm.inserts('shop.orders', 105, 109, t0 + 5))
    await crm.poll()
    assert.deepEqual(crm.ids('orders'), range(100, 109))
    assert.equal((await crm.item())?.state?.S, 'RUNNING')
    assert.equal((await shop.item())?.state?.S, 'HALTED')
    const before = await crm.item()

    const { applied } = await shop.reset()
    assert.equal(applied, true)
    await shop.pollToEnd()
    assert.deepEqual(shop.ids('orders'), range(0, 9))
    assert.deepEqual(await crm.item(), before)
  })

  test('a pause of one leaves the other running', async (t) => {
    const { shop, crm, write } = await twoStreams(t)
    await crm.recover({ action: 'pause', source: 'crm' })
    await assert.rejects(crm.poll(), { code: 'STREAM_HALTED' })
    await shop.source.append(write.shop.inserts('shop.orders', 5, 6))
    await shop.poll()
    assert.deepEqual(shop.ids('orders'), range(0, 6))
    await crm.recover({ action: 'resume', source: 'crm' })
    await crm.poll()
  })

  test('a recovery refuses an event for another source, and does nothing', async (t) => {
    const { shop, crm } = await twoStreams(t)
    const before = [await shop.item(), await crm.item()]
    const pause = (source: unknown) => ({ action: 'pause', source })
    await assert.rejects(crm.recover(pause('erp')), {
      code: 'CONFIG_INVALID',
      message: /recovers the source "crm", and the event is for the source "erp"\. .*Nothing was done\.$/,
    })
    await assert.rejects(shop.recover(pause('crm')), {
      code: 'CONFIG_INVALID',
      message: /recovers the stream without a name, .* "crm"\. Leave out "source".*Nothing was done\.$/,
    })
    await assert.rejects(shop.recover(pause('')), { code: 'CONFIG_INVALID' })
    assert.deepEqual([await shop.item(), await crm.item()], before)
  })

  test('one that reads with the group of the other finds the commit of another deployment', async (t) => {
    const { shop } = await twoStreams(t)
    const crm = await rig.start(t, { name: 'crm' })
    await crm.source.append(new Writer().inserts('shop.orders', 0, 1, t0))
    await assert.rejects(crm.poll({ environment: shop.source.environment }), {
      code: 'GROUP_SHARED',
      message: /eu-central-1\/checkpoints/,
    })
  })
})
