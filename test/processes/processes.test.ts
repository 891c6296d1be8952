import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { seeded } from '../../infra/local/random.ts'
import { type Ground, startGround } from './ground.ts'
import { batchSize, Scenario } from './scenario.ts'
import { tables } from './tables.ts'

const seed = Number(process.env.PROCESSES_SEED ?? randomInt(2 ** 31))

describe(`pollers as processes (PROCESSES_SEED=${seed})`, () => {
  let ground: Ground

  before(async () => {
    console.log(`PROCESSES_SEED=${seed}`)
    ground = await startGround()
  })
  after(() => ground.stop())

  async function scenario(t: { after: (end: () => Promise<void>) => void }, topic: string, changes: number) {
    const random = seeded(seed)
    const world = new Scenario(ground, topic, random)
    t.after(() => world.stop())
    await world.produce(changes)
    return { world, random, below: (limit: number) => Math.floor(random() * limit) }
  }

  test('killed 55 times, at random moments, over 200,000 changes', async (t) => {
    const { world, random, below } = await scenario(t, 'kills', 200_000)
    const kills = 55
    let bound = 0
    for (let kill = 0; kill < kills; kill++) {
      const poller = await world.poller(`poller-${kill}`)
      const from = world.handled
      // One in five dies early: while it starts, waits for the lease, takes it, proves the log.
      if (random() < 0.2) await sleep(below(2_500))
      else {
        const share = (world.changes - 10_000 - from) / (kills - kill)
        const to = Math.min(from + 1 + below(2 * share), world.changes - 5_000)
        await world.until(() => world.handled >= to, 'progress before a kill')
        await sleep(below(40))
      }
      poller.process.assertRunning()
      await poller.end()
      bound += await world.uncommitted()
    }
    await world.poller('last')
    await world.finished()
    const { duplicates, ...faults } = world.check()
    t.diagnostic(`${kills} kills, ${duplicates} duplicates, bound ${bound}`)
    assert.deepEqual(faults, { lost: 0, outOfOrder: 0, overlaps: 0 })
    assert.ok(duplicates > 0 && duplicates <= bound, `${duplicates} duplicates, bound ${bound}`)
  })

  test('frozen past the lease and thawed: it delivers nothing more', async (t) => {
    const { world, below } = await scenario(t, 'freezes', 60_000)
    const pollers = [await world.poller('a'), await world.poller('b')] as const
    let bound = 0
    let lost = 0
    let refused = 0
    const freezes = 12
    for (let freeze = 1; freeze <= freezes; freeze++) {
      const from = world.handled
      await world.until(() => world.handled > from + 500, 'progress before a freeze')
      await sleep(below(30))
      const [frozen, other] = world.lastSender === 'a' ? pollers : ([pollers[1], pollers[0]] as const)
      frozen.process.kill('SIGSTOP')
      await sleep(20)
      await world.settled()
      bound += await world.uncommitted()
      const sent = frozen.lambda.total
      const begun = frozen.handled()
      await world.until(() => world.lastSender === other.name, 'the takeover')
      const before = frozen.runs().at(-1)?.run ?? 0
      const thawed = () => frozen.runs().find(({ run }) => run > before)
      frozen.process.kill('SIGCONT')
      await world.until(() => thawed() !== undefined, 'the end of the thawed run')
      const run = thawed()
      lost += run?.ended === 'lease-lost' ? 1 : 0
      await world.nextCommit()
      assert.equal(world.lastSender, other.name)
      // Frozen between its last look at the lease and the request, it still sends that one: the function refuses it.
      refused += frozen.lambda.total - sent
      assert.equal(frozen.handled(), begun, `a change came from the thawed poller; ${JSON.stringify(run)}`)
    }
    await world.finished()
    const { duplicates, ...faults } = world.check()
    t.diagnostic(
      `${freezes} freezes, ${lost} leases lost, ${refused} invocations refused, ${duplicates} duplicates, bound ${bound}`,
    )
    assert.deepEqual(faults, { lost: 0, outOfOrder: 0, overlaps: 0 })
    assert.equal(lost, freezes)
    assert.ok(duplicates <= bound, `${duplicates} duplicates, bound ${bound}`)
  })

  for (const count of [2, 4, 8]) {
    test(`${count} pollers at once: one works, the others leave quietly`, async (t) => {
      const { world } = await scenario(t, `crowd-${count}`, 20_000)
      const environment = { POLL_MAX_RECORDS: '500' }
      const names = Array.from({ length: count }, (_, index) => `poller-${index}`)
      const pollers = await Promise.all(names.map((name) => world.poller(name, { environment })))
      const working = () => pollers.filter(({ lambda }) => lambda.total > 0).length
      const last = () => pollers.flatMap((poller) => poller.runs())
      const left = () => last().filter(({ ended }) => ended === 'lease-held').length
      await world.finished()
      // Which of them comes first is the machine's: until two have worked, and one has met another, there is more.
      while (working() < 2 || left() === 0) {
        await world.produce(5_000)
        await world.finished()
      }
      const runs = last()
      t.diagnostic(
        `${world.changes} changes: ${working()} pollers worked, ${left()} of their last ${runs.length} runs met another`,
      )
      assert.deepEqual(world.check(), { lost: 0, outOfOrder: 0, overlaps: 0, duplicates: 0 })
      assert.deepEqual(
        runs.filter(({ ended }) => ended === 'error'),
        [],
      )
    })
  }

  test('replies that are lost between the poller and DynamoDB, the handlers and Kafka', async (t) => {
    const { world, random, below } = await scenario(t, 'replies', 100_000)
    // Short runs: otherwise all that is left is soon in memory, and no fetch is there to lose an answer.
    const environment = { POLL_MAX_RECORDS: '2000' }
    const poller = await world.poller('poller', { proxied: true, environment })
    const { lambdaProxy } = poller
    assert.ok(lambdaProxy)
    const { dynamo, kafka } = ground.proxies
    const next = () => true
    // Only the answer to a fetch is so long. Most of what Kafka answers next belongs to the end of a run.
    const records = (reply: Buffer) => reply.length > 8_192
    const replies = [
      { of: 'DynamoDB', line: dynamo, from: next },
      { of: 'a handler', line: lambdaProxy, from: next },
      { of: 'Kafka', line: kafka, from: next },
      { of: 'Kafka, with records', line: kafka, from: records },
    ]
    const rounds = 6
    let bound = 0
    for (const { of, line, from } of Array.from({ length: rounds }, () => replies).flat()) {
      const { handled } = world
      await world.until(() => world.handled > handled + 200, 'progress before a fault')
      await sleep(below(30))
      const { swallowed } = line
      line.blackholeReplies(true, from)
      // However long that takes: a function that waits to be tried again can keep a run from asking for seconds.
      await world.until(() => line.swallowed > swallowed, `a reply of ${of} that is lost`)
      await sleep(random() < 0.5 ? 0 : below(300))
      // Whatever is uncommitted now, and one more batch of each table that may be on its way.
      bound += (await world.uncommitted()) + tables.length * batchSize
      line.drop()
      line.blackholeReplies(false)
    }
    await world.finished()
    const { duplicates, ...found } = world.check()
    const of = replies.map((reply) => reply.of).join('; ')
    t.diagnostic(`${rounds} replies lost of each: ${of}; ${duplicates} duplicates, bound ${bound}`)
    assert.deepEqual(found, { lost: 0, outOfOrder: 0, overlaps: 0 })
    assert.ok(duplicates > 0 && duplicates <= bound, `${duplicates} duplicates, bound ${bound}`)
  })
})
