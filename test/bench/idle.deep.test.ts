import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Ground } from '../../bench/ground/ground.ts'

/** The deployed poller's bundle in a process of its own, as the bench measures it. */
let ground: Ground
before(async () => {
  ground = await Ground.start(null)
})
after(() => ground.stop())

test('a poll of an idle stream sends no more requests than these', async () => {
  await ground.withStream({ tables: 1, records: 10 }, async (stream) => {
    const poller = await ground.startPoller(stream, 1, {}, 60_000)
    await poller.next()
    await poller.call('run', null)
    const warm = await ground.requests(stream)
    const { ended } = await poller.call('run', null)
    const { dynamo, byApi } = await ground.requests(stream)
    await poller.stop()
    const sent = Object.entries(byApi).map(([api, count]) => [api, count - (warm.byApi[api] ?? 0)] as const)
    assert.equal(ended, 'end-of-stream')
    // Read the item, take the lease, release it.
    assert.equal(dynamo - warm.dynamo, 3)
    assert.deepEqual(Object.fromEntries(sent.filter(([, count]) => count > 0)), {
      ApiVersions: 1,
      SaslHandshake: 1,
      SaslAuthenticate: 1,
      Metadata: 1,
      // The commit of the group, by which a restored item shows.
      FindCoordinator: 1,
      OffsetFetch: 1,
      // Is the record below the checkpoint the same, is there news, and the oldest and the newest record for the alarms.
      Fetch: 4,
      ListOffsets: 4,
    })
  })
})
