import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { seeded } from '../../infra/local/random.ts'
import { Counters } from './counters.ts'
import { type Ground, startGround } from './ground.ts'
import type { Effect } from './handlers.ts'
import { batchSize, type Poller, Scenario } from './scenario.ts'
import { tables } from './tables.ts'

const seed = Number(process.env.PROCESSES_SEED ?? randomInt(2 ** 31))
/** Hooks start brokers and produce changes. On a busy machine that takes longer than any test. */
const startUp = { timeout: 180_000 }

describe(`pollers as processes (PROCESSES_SEED=${seed})`, () => {
  let ground: Ground

  before(async () => {
    console.log(`PROCESSES_SEED=${seed}`)
    ground = await startGround()
  }, startUp)
  after(() => ground.stop())

  async function scenario(topic: string, changes: number, effect?: Effect) {
    const random = seeded(seed)
    const world = new Scenario(ground, topic, random, effect)
    await world.produce(changes)
    return { world, random, below: (limit: number) => Math.floor(random() * limit) }
  }

  /** A scenario for several tests: each test causes a fault, and the last one checks the deliveries. */
  function lasting(topic: string, changes: number, effect?: Effect) {
    let begun: Awaited<ReturnType<typeof scenario>> | undefined
    before(async () => {
      begun = await scenario(topic, changes, effect)
    }, startUp)
    after(() => begun?.world.stop())
    return () => begun ?? assert.fail('The changes were not produced.')
  }

  describe('killed 55 times, at random moments, over 200,000 changes', () => {
    const kills = 55
    let counters: Counters | undefined
    before(async () => {
      counters = await Counters.create(ground.client)
    })
    const it = lasting('kills', 200_000, async (change) => counters?.count(change))
    let bound = 0
    for (let kill = 0; kill < kills; kill++) {
      test(`kill ${kill + 1}`, async () => {
        const { world, random, below } = it()
        const poller = await world.poller(`poller-${kill}`)
        const from = world.handled
        // One in five dies early: while it starts, waits for the lease, takes it, or proves the log.
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
      })
    }

    test('no change is lost or out of order, and only uncommitted changes are repeated', async (t) => {
      const { world } = it()
      await world.poller('last')
      await world.finished()
      const { duplicates, ...faults } = world.check()
      t.diagnostic(`${kills} kills, ${duplicates} duplicates, bound ${bound}`)
      assert.deepEqual(faults, { lost: 0, outOfOrder: 0, overlaps: 0 })
      assert.ok(duplicates > 0 && duplicates <= bound, `${duplicates} duplicates, bound ${bound}`)
    })

    test('counters that `once` adds to equal the sums of the source', async (t) => {
      const { world } = it()
      t.diagnostic(`${counters?.repeats} repeats were not counted again`)
      assert.deepEqual(await counters?.read(), Counters.expected(world.offsets))
      assert.ok((counters?.repeats ?? 0) > 0, 'no counted change was delivered twice')
    })
  })

  describe('frozen until the lease has ended, then thawed', () => {
    const freezes = 12
    const it = lasting('freezes', 60_000)
    let pollers: readonly [Poller, Poller]
    let bound = 0
    let lost = 0
    let refused = 0
    before(async () => {
      pollers = [await it().world.poller('a'), await it().world.poller('b')]
    })

    for (let freeze = 1; freeze <= freezes; freeze++) {
      test(`freeze ${freeze}: the thawed poller delivers nothing more`, async () => {
        const { world, below } = it()
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
        // If it was frozen between its last lease check and the request, it sends that request. The function refuses it.
        refused += frozen.lambda.total - sent
        assert.equal(frozen.handled(), begun, `a change came from the thawed poller; ${JSON.stringify(run)}`)
      })
    }

    test('every thawed run has lost its lease, and no change is lost or out of order', async (t) => {
      const { world } = it()
      await world.finished()
      const { duplicates, ...faults } = world.check()
      t.diagnostic(
        `${freezes} freezes, ${lost} leases lost, ${refused} invocations refused, ${duplicates} duplicates, bound ${bound}`,
      )
      assert.deepEqual(faults, { lost: 0, outOfOrder: 0, overlaps: 0 })
      assert.equal(lost, freezes)
      assert.ok(duplicates <= bound, `${duplicates} duplicates, bound ${bound}`)
    })
  })

  for (const count of [2, 4, 8]) {
    describe(`${count} pollers at once`, () => {
      const it = lasting(`crowd-${count}`, 10_000)
      let pollers: Poller[] = []
      before(async () => {
        const environment = { POLL_MAX_RECORDS: '500' }
        const names = Array.from({ length: count }, (_, index) => `poller-${index}`)
        pollers = await Promise.all(names.map((name) => it().world.poller(name, { environment })))
      }, startUp)

      test('handle every change', () => it().world.finished())

      test('one poller works, and the others end without an error', async (t) => {
        const { world } = it()
        const working = () => pollers.filter(({ lambda }) => lambda.total > 0).length
        const last = () => pollers.flatMap((poller) => poller.runs())
        const left = () => last().filter(({ ended }) => ended === 'lease-held').length
        // The machine decides which poller is first. Add changes until two have worked and one has met another.
        while (working() < 2 || left() === 0) {
          await world.produce(2_500)
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
    })
  }

  describe('lost replies of DynamoDB, of the handlers and of Kafka', () => {
    const rounds = 6
    const it = lasting('replies', 100_000)
    let poller: Poller
    let bound = 0
    before(async () => {
      // Short runs. A long run would soon have all changes in memory, and no fetch would be left to fail.
      const environment = { POLL_MAX_RECORDS: '2000' }
      poller = await it().world.poller('poller', { proxied: true, environment })
    })
    const next = () => true
    const replies = [
      { of: 'DynamoDB', line: () => ground.proxies.dynamo, from: next },
      { of: 'a handler', line: () => poller.lambdaProxy ?? assert.fail('no proxy'), from: next },
      { of: 'Kafka', line: () => ground.proxies.kafka, from: next },
      // Only an answer to a fetch is that long. Most other answers of Kafka come at the end of a run.
      {
        of: 'Kafka, with records',
        line: () => ground.proxies.kafka,
        from: (reply: Buffer) => reply.length > 8_192,
      },
    ]

    for (let round = 1; round <= rounds; round++) {
      for (const { of, line: lineOf, from } of replies) {
        test(`round ${round}: a reply of ${of} is lost`, async () => {
          const { world, random, below } = it()
          const line = lineOf()
          const { handled } = world
          await world.until(() => world.handled > handled + 200, 'progress before a fault')
          await sleep(below(30))
          const { swallowed } = line
          line.blackholeReplies(true, from)
          // This may take seconds: a run asks nothing while a function waits for its next attempt.
          await world.until(() => line.swallowed > swallowed, `a reply of ${of} that is lost`)
          await sleep(random() < 0.5 ? 0 : below(300))
          // The changes that are uncommitted now, and one more batch of each table that may be under way.
          bound += (await world.uncommitted()) + tables.length * batchSize
          line.drop()
          line.blackholeReplies(false)
        })
      }
    }

    test('no change is lost or out of order, and only uncommitted changes are repeated', async (t) => {
      const { world } = it()
      await world.finished()
      const { duplicates, ...found } = world.check()
      const of = replies.map((reply) => reply.of).join('; ')
      t.diagnostic(`${rounds} replies lost of each: ${of}; ${duplicates} duplicates, bound ${bound}`)
      assert.deepEqual(found, { lost: 0, outOfOrder: 0, overlaps: 0 })
      assert.ok(duplicates > 0 && duplicates <= bound, `${duplicates} duplicates, bound ${bound}`)
    })
  })
})
