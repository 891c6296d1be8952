import '../rig/quiet.ts'
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { SQSClient } from '@aws-sdk/client-sqs'
import * as z from 'zod'
import { type DeadLetterInput, deadLetterQueue, deadLetterSchema } from '../../lib/dispatch/dead-letter.ts'
import { defineTable } from '../../lib/handler/define-table.ts'
import { until } from '../rig/context.ts'
import { previousRecovery, previousRelease, type Release } from '../support/previous-release.ts'
import { range, t0, Writer } from '../support/records.ts'
import { type PollOptions, pollUntil, type Rig, startRig, type World } from '../support/world.ts'
import { embedded } from './embedded.ts'

type Version = 'previous' | 'current'

/** A deployment replaces the functions one by one, in any order; a rollback does so backwards. */
const deployments: readonly (readonly [name: string, poller: Version, functions: Version])[] = [
  ['the previous release', 'previous', 'previous'],
  ['a new poller with old functions', 'current', 'previous'],
  ['the current release', 'current', 'current'],
  ['an old poller with new functions', 'previous', 'current'],
  ['the previous release again', 'previous', 'previous'],
  ['an old poller with new functions, on the way up', 'previous', 'current'],
  ['the current release again', 'current', 'current'],
]

describe('upgrade and rollback', () => {
  let rig: Rig
  const routes = process.env.ROUTES
  before(async () => {
    // The previous release finds its routes here, the current one in its code.
    process.env.ROUTES = JSON.stringify({
      'shop.customers': { function: 'customers', attempts: 100 },
      'shop.orders': { function: 'orders', attempts: 100 },
    })
    rig = await startRig(embedded)
  })
  after(async () => {
    if (routes === undefined) delete process.env.ROUTES
    else process.env.ROUTES = routes
    await rig.stop()
  })

  /** Hosts the functions of a version. They note the ids of their rows; `broken` makes one of them fail at a row. */
  async function deploy(
    world: World,
    version: Version,
    noted: Map<string, number[]>,
    broken: { at: number; met: number },
  ) {
    const define = version === 'current' ? defineTable : (await previousRelease()).defineTable
    for (const name of ['customers', 'orders'] as const) {
      const ids = noted.get(name) ?? []
      noted.set(name, ids)
      const handler = define({
        table: `shop.${name}`,
        row: z.object({ id: z.bigint(), status: z.string() }),
        onChange(change) {
          const id = Number('after' in change ? change.after.id : change.before.id)
          if (name === 'customers' && id === broken.at) {
            broken.met += 1
            throw new RangeError('the address book is closed')
          }
          ids.push(id)
        },
      })
      world.lambda.host(`test-${name}`, handler)
    }
  }

  async function poller(version: Version) {
    return version === 'current' ? {} : { poller: (await previousRelease()).poller }
  }

  test('no order of deployments loses, repeats or reorders a change, although each ends while a function fails', async (t) => {
    const world = await rig.start(t)
    const write = new Writer()
    const noted = new Map<string, number[]>()
    let next = 0
    for (const [name, pollerVersion, functions] of deployments) {
      const [first, last] = [next, next + 9]
      next += 10
      await world.source.append([
        ...write.inserts('shop.customers', first, last),
        ...write.inserts('shop.orders', first, last),
      ])
      // The change in the middle fails, so that the next version gets a checkpoint with a lane ahead and one in trouble.
      const broken = { at: first + 5, met: 0 }
      await deploy(world, functions, noted, broken)
      if (first > 0) await world.expireLease()
      const summary = await world.poll({
        ...(await poller(pollerVersion)),
        remainingMs: until(() => broken.met > 0),
      })
      assert.equal(summary.ended, 'time', name)
      assert.deepEqual(noted.get('customers'), range(0, first + 4), name)
      assert.deepEqual(noted.get('orders'), range(0, last), name)
    }
    await deploy(world, 'current', noted, { at: -1, met: 0 })
    await world.expireLease()
    await world.pollToEnd()
    assert.deepEqual([noted.get('customers'), noted.get('orders')], [range(0, next - 1), range(0, next - 1)])
  })

  for (const [wrote, reads] of [
    ['previous', 'current'],
    ['current', 'previous'],
  ] as const) {
    const recover = (world: World, version: Version, event: object) =>
      version === 'current' ? world.recover(event) : previousRecovery(event)

    test(`a stream that the ${wrote} release paused waits for a resume by the ${reads} one`, async (t) => {
      const world = await rig.start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 4))
      await world.pollToEnd(await poller(wrote))
      await recover(world, wrote, { action: 'pause', by: 'night shift', reason: 'migration' })
      await world.source.append(write.inserts('shop.orders', 5, 9))
      await assert.rejects(world.poll(await poller(reads)), { code: 'STREAM_HALTED', message: /night shift/ })
      await recover(world, reads, { action: 'resume', by: 'day shift' })
      await world.pollToEnd(await poller(reads))
      assert.deepEqual(world.ids('orders'), range(0, 9))
    })

    test(`a cluster change that halted the ${wrote} release is reset by the ${reads} one, and no change is lost or repeated`, async (t) => {
      const world = await rig.start(t)
      const changes = new Writer().inserts('shop.orders', 0, 19)
      await world.source.append(changes.slice(0, 10))
      await world.pollToEnd(await poller(wrote))
      await world.source.switchCluster(changes.slice(3))
      await assert.rejects(world.poll(await poller(wrote)), { code: 'CLUSTER_CHANGED' })
      await assert.rejects(world.poll(await poller(reads)), { code: 'STREAM_HALTED' })
      await recover(world, reads, { action: 'reset' })
      await world.pollToEnd(await poller(reads))
      assert.deepEqual(world.ids('orders'), range(0, 19))
      // And back: the generation that one wrote counts for the other.
      await world.source.append(new Writer().inserts('shop.orders', 20, 24))
      await world.pollToEnd(await poller(wrote))
      assert.deepEqual(world.ids('orders'), range(0, 24))
    })
  }

  describe('with runs of the current release that hand over', () => {
    const environment = { POLL_HANDOVER: 'true' }
    /** A run that ends by itself at the end of the stream. */
    const last = { environment: { ...environment, POLL_LINGER_SECONDS: '0' } }

    /** A run that waits at change 2 of ten, the first ten of more. */
    async function atWork(t: TestContext, options: PollOptions) {
      const world = await rig.start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      const run = await pollUntil(world, 2, options)
      await world.source.append(write.inserts('shop.orders', 10, 14))
      return { world, write, run }
    }

    async function wished(world: World) {
      for (;;) {
        const wish = (await world.item())?.wish
        if (wish !== undefined) return wish
      }
    }

    test('an item with a wish is no obstacle to the previous release, neither during the hand-over nor after it', async (t) => {
      const { world, write, run } = await atWork(t, { environment })
      const next = world.poll(last)
      const wish = await wished(world)
      assert.equal((await world.poll(await poller('previous'))).ended, 'lease-held')
      assert.deepEqual((await world.item())?.wish, wish)
      run.goOn()
      assert.equal((await run.ended).ended, 'handed-over')
      assert.equal((await next).ended, 'end-of-stream')
      assert.deepEqual(world.ids('orders'), range(0, 14))

      await world.source.append(write.inserts('shop.orders', 15, 19))
      await world.pollToEnd(await poller('previous'))
      assert.deepEqual([world.ids('orders'), (await world.item())?.wish], [range(0, 19), wish])

      await world.source.append(write.inserts('shop.orders', 20, 24))
      assert.equal((await world.poll(last)).ended, 'end-of-stream')
      assert.deepEqual(world.ids('orders'), range(0, 24))
    })

    test('a run of the previous release ignores a wish, and the run that waits takes the lease over when it ends', async (t) => {
      const { world, run } = await atWork(t, await poller('previous'))
      const next = world.poll(last)
      await wished(world)
      run.goOn()
      assert.equal((await run.ended).ended, 'end-of-stream')
      assert.equal((await next).ended, 'end-of-stream')
      assert.deepEqual(world.ids('orders'), range(0, 14))
      assert.deepEqual((await world.item())?.epoch, { N: '2' })
    })

    test('a run of the previous release continues where a run handed over to one that is no longer there', async (t) => {
      const { world, write, run } = await atWork(t, { environment })
      const epoch = Number((await world.item())?.epoch?.N)
      await world.setAttribute('wish', { S: JSON.stringify({ owner: 'ended', epoch, at: Date.now() }) })
      run.goOn()
      assert.equal((await run.ended).ended, 'handed-over')
      await world.source.append(write.inserts('shop.orders', 15, 19))
      assert.equal((await world.poll(await poller('previous'))).ended, 'end-of-stream')
      assert.deepEqual(world.ids('orders'), range(0, 19))
      assert.deepEqual((await world.item())?.epoch, { N: '2' })
    })
  })

  test('changes wait for a function that does not know the poller’s batches, without an attempt, until it is deployed', async (t) => {
    const world = await rig.start(t)
    await world.source.append(new Writer().inserts('shop.orders', 0, 4))
    const noted = new Map<string, number[]>()
    await deploy(world, 'previous', noted, { at: -1, met: 0 })
    const { defineTable: define } = await previousRelease()
    const old = define({ table: 'shop.orders', row: z.object({ id: z.bigint() }), onChange: () => {} })
    let met = 0
    world.lambda.host('test-orders', (event, context) => {
      met += 1
      // As a poller of a later release would send it.
      return old({ ...(event as object), version: 99 }, context)
    })
    const { failures } = await world.poll({ remainingMs: until(() => met > 0) })
    assert.deepEqual(
      failures.map(({ lane, code }) => [lane, code]),
      [['test-orders', 'HANDLER_UNAVAILABLE']],
    )
    assert.match((await world.item())?.lanes?.S ?? '', /"attempts":0/)
    await deploy(world, 'current', noted, { at: -1, met: 0 })
    await world.expireLease()
    await world.pollToEnd()
    assert.deepEqual(noted.get('orders'), range(0, 4))
  })

  test('each release reads the dead letters of the other, with the same record', async () => {
    const previous = await previousRelease()
    const { value } = new Writer().insert('shop.orders', 7, t0)
    const letter: DeadLetterInput = {
      functionName: 'test-orders',
      table: 'shop.orders',
      topic: 't',
      partition: 0,
      clusterId: 'c',
      generation: 3,
      offset: 12n,
      attempts: 5,
      at: '2026-01-31T08:00:00.000Z',
      error: { code: 'HANDLER_FAILED', message: 'no' },
      value: value ?? Buffer.alloc(0),
    }
    const written = await sent(previous, letter)
    assert.deepEqual(deadLetterSchema.parse(written), previous.deadLetterSchema.parse(written))
    const ours = await sent({ deadLetterQueue }, letter)
    const theirs = previous.deadLetterSchema.parse(ours)
    assert.deepEqual([theirs.raw, theirs.offset], [value?.toString('base64'), '12'])
  })
})

/** The letter that a release sends, as a receiver gets it. */
async function sent(release: Pick<Release, 'deadLetterQueue'>, letter: DeadLetterInput): Promise<unknown> {
  const client = new SQSClient({ region: 'eu-central-1' })
  let body = ''
  client.middlewareStack.add(
    () => async (command) => {
      body = String((command.input as { MessageBody?: string }).MessageBody)
      return { output: { $metadata: {} }, response: {} }
    },
    { step: 'initialize' },
  )
  const s3 = () => Promise.reject(new Error('The letter fits into a message.'))
  await release.deadLetterQueue({
    queueUrl: 'http://127.0.0.1:9/q',
    bucket: undefined,
    sqs: async () => client,
    s3,
  })(letter)
  client.destroy()
  return JSON.parse(body)
}
