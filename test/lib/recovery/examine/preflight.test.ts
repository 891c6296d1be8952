import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type Checkpoint, freshPosition } from '../../../../lib/checkpoint/types.ts'
import type { DeadLetterSource } from '../../../../lib/dispatch/dead-letter-source.ts'
import { DtsError } from '../../../../lib/errors.ts'
import { groupPosition, writeMark } from '../../../../lib/kafka/commit-mark.ts'
import type { Stream } from '../../../../lib/kafka/stream.ts'
import { doctor, type InspectDependencies } from '../../../../lib/recovery/examine/inspect.ts'
import { preflight } from '../../../../lib/recovery/examine/preflight.ts'
import { route } from '../../../support/dispatch.ts'
import { filler, t0, Writer } from '../../../support/records.ts'
import { like, self } from '../../../support/streams.ts'
import { CheckpointTable } from '../../checkpoint/support.ts'
import { clock, examined, lineOf } from './support.ts'

const ten = new Writer().inserts('shop.orders', 0, 9)
const skipped = 'not examined, because a check before it failed'

/** How an SDK client fails if nothing answers. */
const unreachable = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
const denied = () =>
  Object.assign(new Error('not authorized'), {
    name: 'AccessDeniedException',
    $metadata: { httpStatusCode: 403 },
  })

describe('the examination of the set-up', () => {
  const table = new CheckpointTable()

  /** A stream that was read to its end. */
  async function well(t: TestContext, change: Partial<InspectDependencies> = {}) {
    const world = await examined(t, table.fresh(), ten, change)
    const { store } = world.dependencies
    const place = { clusterId: world.log.clusterId, position: freshPosition(10n, t0 + 9), replayUntil: null }
    await store.release(
      await store.create({ ...place, entry: { at: clock, by: 'me', how: 'start' } }, 'me', clock),
    )
    return world
  }

  const line = async (t: TestContext, name: string, change: Partial<InspectDependencies> = {}) =>
    lineOf(await preflight((await well(t, change)).dependencies), name)

  test('has a line for each part, and none for a bucket or a key that is not configured', async (t) => {
    const { dependencies } = await well(t)
    const checks = await preflight(dependencies)
    assert.deepEqual(
      checks.map(({ name, result }) => [name, result]),
      [
        'DNS',
        'TCP to the broker address',
        'credentials',
        'topic',
        'TCP to the node',
        'data range',
        'news from DTS',
        'checkpoint table',
        'checkpoint within the log',
        'delivery',
        'consumer group',
        'functions',
        'dead-letter queue',
      ].map((name) => [name, 'ok']),
    )
    const details = ['data range', 'checkpoint table', 'checkpoint within the log', 'consumer group'].map(
      (name) => lineOf(checks, name)?.[1],
    )
    const [first, last] = [t0, t0 + 9].map((at) => new Date(at * 1000).toISOString().replace('.000', ''))
    const generation = (await dependencies.store.read())?.generation
    assert.deepEqual(details, [
      `offsets 0 to 9; the next record gets 10, ${first} (${t0}) to ${last} (${t0 + 9})`,
      `offset 10, generation ${generation}, RUNNING`,
      'the log is the one that the checkpoint belongs to',
      'no commit yet',
    ])
  })

  test('before the first run says where that would start', async (t) => {
    const { dependencies } = await examined(t, table.fresh(), ten)
    const checks = await preflight({ ...dependencies, config: { ...dependencies.config, startTime: t0 + 4 } })
    assert.deepEqual(lineOf(checks, 'checkpoint table'), [
      'ok',
      'readable; nothing was read from the stream yet',
    ])
    assert.deepEqual(lineOf(checks, 'checkpoint within the log'), [
      'ok',
      `the first run would start at 2023-11-14T22:13:24Z (${t0 + 4}), offset 4`,
    ])
    assert.deepEqual(lineOf(checks, 'delivery'), ['ok', 'nothing was read yet'])
  })

  test('shows the code of a halt beside the position', async (t) => {
    const { dependencies } = await well(t)
    const { store } = dependencies
    const read = (await store.read()) as Checkpoint
    const lease = await store.acquire(read, 'me', clock + 10_000, clock + 20_000, ['RUNNING'])
    await store.halt(lease, { code: 'DATA_GAP', message: 'gone', facts: {}, next: [], at: clock }, null)
    const detail = lineOf(await preflight(dependencies), 'checkpoint table')?.[1]
    assert.equal(detail, `offset 10, generation ${read.generation}, HALTED (DATA_GAP)`)
  })

  test('shows a halt without a reason, which a person wrote into the item', async (t) => {
    const { dependencies } = await well(t)
    const store = table.fresh()
    const read = (await dependencies.store.read()) as Checkpoint
    store.read = async () => ({ ...read, state: 'HALTED', halt: null })
    assert.deepEqual(lineOf(await preflight({ ...dependencies, store }), 'checkpoint table'), [
      'ok',
      `offset 10, generation ${read.generation}, HALTED`,
    ])
  })

  test('fails for a lease that ends later than any run can hold it', async (t) => {
    const { dependencies } = await well(t)
    const { store } = dependencies
    const read = (await store.read()) as Checkpoint
    await store.acquire(read, 'a run', clock + 10_000, clock + 86_400_000, ['RUNNING'])
    const [result, detail] = lineOf(await preflight(dependencies), 'checkpoint table') ?? []
    assert.equal(result, 'failed')
    assert.match(detail ?? '', /^LEASE_TOO_LONG: The lease of a run /)
  })

  test('if the stream cannot be opened, still examines table, functions and queue', async (t) => {
    const openStream = () =>
      Promise.reject(new DtsError('AUTHENTICATION_FAILED', 'wrong', { retryable: false }))
    const checks = await preflight((await well(t, { openStream })).dependencies)
    const results = Object.groupBy(checks, ({ result }) => result)
    const names = (result: keyof typeof results) => results[result]?.map(({ name }) => name)
    assert.deepEqual(names('failed'), ['credentials'])
    assert.deepEqual(names('skipped'), [
      'topic',
      'TCP to the node',
      'data range',
      'news from DTS',
      'checkpoint within the log',
      'delivery',
      'consumer group',
    ])
    assert.deepEqual(new Set(results.skipped?.map(({ detail }) => detail)), new Set([skipped]))
  })

  test('if the table cannot be read, examines neither position nor group', async (t) => {
    const { dependencies } = await well(t)
    const store = table.fresh()
    store.read = () => Promise.reject(new DtsError('CHECKPOINT_INVALID', 'odd', { retryable: false }))
    const checks = await preflight({ ...dependencies, store })
    assert.deepEqual(
      checks.filter(({ result }) => result !== 'ok').map(({ name, result }) => [name, result]),
      [
        ['checkpoint table', 'failed'],
        ['checkpoint within the log', 'skipped'],
        ['delivery', 'skipped'],
        ['consumer group', 'skipped'],
      ],
    )
  })

  describe('of a log without records', () => {
    const empty = async (t: TestContext, mode: 'dts' | 'kafka', write: boolean) => {
      const { dependencies, log } = await well(t)
      if (write) log.trim({ beforeOffset: 10n })
      const fresh = await examined(t, table.fresh(), [])
      const given = write ? dependencies : fresh.dependencies
      const checks = await preflight({ ...given, config: { ...given.config, mode } })
      return lineOf(checks, 'data range')
    }

    test('passes for a plain topic whose records all expired', async (t) => {
      const range = 'no records now; the next one gets offset 10'
      assert.deepEqual(await empty(t, 'kafka', true), ['ok', `${range}, all expired`])
    })

    test('fails for DTS, and for a topic that never had any', async (t) => {
      for (const [mode, write] of [
        ['dts', true],
        ['dts', false],
        ['kafka', false],
      ] as const) {
        const [result, detail] = (await empty(t, mode, write)) ?? []
        assert.equal(result, 'failed', `${mode} ${write}`)
        assert.match(
          detail ?? '',
          /^CHECKPOINT_OUT_OF_RANGE: The log holds no record \(no records now; .*DTS may still be filling it, .* repeat this\.$/,
        )
      }
    })

    test('fails for a plain topic whose offsets are all without a record, because none of them expired', async (t) => {
      const { dependencies } = await examined(t, table.fresh(), filler(t0))
      const config = { ...dependencies.config, mode: 'kafka' as const }
      const [result, detail] = lineOf(await preflight({ ...dependencies, config }), 'data range') ?? []
      assert.equal(result, 'failed')
      assert.match(detail ?? '', /holds no record \(offsets 0 to 2; /)
    })
  })

  describe('of the consumer group', () => {
    async function groupLine(t: TestContext, committed: Stream['committed'], hasItem = true) {
      const world = hasItem ? await well(t) : await examined(t, table.fresh(), ten)
      const openStream = async () => like(await world.connect(), { committed })
      const checks = await preflight({ ...world.dependencies, openStream })
      const found = checks.find(({ name }) => name === 'consumer group')
      return [found?.result, found?.detail, found?.next]
    }
    const commit = (metadata: string | null, offset = 10n) => groupPosition(offset, metadata, self)

    test('passes if the broker refuses the group, and says what is then unknown', async (t) => {
      const refuse = () => Promise.reject(new DtsError('GROUP_REFUSED', 'no', { retryable: false }))
      assert.deepEqual(await groupLine(t, refuse), [
        'ok',
        'does not show whether the checkpoint is an older one, or another deployment reads (GROUP_REFUSED: no)',
        [],
      ])
    })

    test('says whose commit it has, with and without a checkpoint', async (t) => {
      const ours = writeMark(self, t0 + 9, { generation: 1, offset: 10n })
      assert.deepEqual(await groupLine(t, async () => commit(ours)), [
        'ok',
        'offset 10, by this deployment',
        [],
      ])
      for (const hasItem of [true, false])
        assert.deepEqual(await groupLine(t, async () => commit(null), hasItem), [
          'ok',
          'offset 10, by another program',
          [],
        ])
    })

    test('fails if its commit shows that the checkpoint was restored', async (t) => {
      const mark = writeMark(self, t0 + 9, { generation: 2_000_000_000, offset: 12n })
      const [result, detail, next] = await groupLine(t, async () => commit(mark, 12n))
      assert.equal(result, 'failed')
      assert.match(String(detail), /^CHECKPOINT_RESTORED: The checkpoint is at offset 10 /)
      assert.equal(Array.isArray(next) && next.length, 2)
    })

    test('fails if another deployment commits to it', async (t) => {
      const mark = writeMark({ ...self, stage: 'dev' }, t0 + 9, { generation: 1, offset: 10n })
      const [result, detail] = await groupLine(t, async () => commit(mark))
      assert.equal(result, 'failed')
      assert.match(String(detail), /^GROUP_SHARED: .*stage "dev"/)
    })
  })

  describe('of the functions', () => {
    const names = Array.from({ length: 50 }, (_, index) => `f${index}`)

    test('counts them, and invokes none', async (t) => {
      const probed: string[] = []
      const probeFunction = async (name: string) => void probed.push(name)
      assert.deepEqual(await line(t, 'functions', { functionNames: names, probeFunction }), [
        'ok',
        '50 with a route can be invoked',
      ])
      assert.deepEqual(probed, names)
    })

    test('asks for twenty at a time', async (t) => {
      let atOnce = 0
      let most = 0
      const probeFunction = async () => {
        atOnce += 1
        most = Math.max(most, atOnce)
        await new Promise((resolve) => setImmediate(resolve))
        atOnce -= 1
      }
      await line(t, 'functions', { functionNames: names, probeFunction })
      assert.equal(most, 20)
    })

    test('names five that fail, and how many more there are', async (t) => {
      const failures = async (count: number) => {
        const probeFunction = async (name: string) => {
          if (Number(name.slice(1)) < count) throw denied()
        }
        return (await line(t, 'functions', { functionNames: names, probeFunction }))?.[1] ?? ''
      }
      const five = names.slice(0, 5).map((name) => `${name} (AccessDeniedException: not authorized)`)
      const said = (count: number, more: string) =>
        `HANDLER_UNAVAILABLE: ${count} of 50 functions with a route cannot be invoked: ${five.join(', ')}${more}. ` +
        'Lambda answered and refused, so the network is right and a right is missing: '
      assert.ok((await failures(5)).startsWith(said(5, '')))
      assert.ok((await failures(6)).startsWith(said(6, ' and 1 more')))
      assert.ok((await failures(33)).startsWith(said(33, ' and 28 more')))
    })

    test('says what to deploy if a function is missing', async (t) => {
      const probeFunction = async (name: string) => {
        if (name === 'f3') throw new Error('Function not found')
      }
      assert.deepEqual(await line(t, 'functions', { functionNames: names, probeFunction }), [
        'failed',
        'HANDLER_UNAVAILABLE: 1 of 50 functions with a route cannot be invoked: f3 (Error: Function not found). ' +
          'Deploy the stack with these functions, or allow them to the roles of poller and recovery.',
      ])
    })

    test('ends after the first twenty if Lambda does not answer, because each request takes seconds', async (t) => {
      let probed = 0
      const probeFunction = async (name: string) => {
        probed += 1
        throw name === 'f19' ? unreachable() : new Error('other')
      }
      const [, detail] = (await line(t, 'functions', { functionNames: names, probeFunction })) ?? []
      assert.equal(probed, 20)
      assert.match(detail ?? '', /^HANDLER_UNAVAILABLE: 20 of 50 /)
    })
  })

  describe('of the key of masks', () => {
    const hashing = { routes: { 'shop.orders': route('orders', { mask: { email: 'hash' } }) } }
    const fails = {
      maskKey: () => Promise.reject(new DtsError('CONFIG_INVALID', 'short', { retryable: false })),
    }

    test('reads it only if a handler hashes', async (t) => {
      assert.deepEqual(await line(t, 'key of masks', { ...hashing, maskKey: async () => 'x' }), [
        'ok',
        'readable',
      ])
      assert.deepEqual(await line(t, 'key of masks', { ...hashing, ...fails }), [
        'failed',
        'CONFIG_INVALID: short',
      ])
      const dropping = { 'shop.orders': route('orders', { mask: { email: 'drop' } }) }
      assert.equal(await line(t, 'key of masks', { routes: dropping, ...fails }), undefined)
      assert.equal(await line(t, 'key of masks', hashing), undefined)
    })

    test('finds the one handler that hashes among others', async (t) => {
      const routes = { 'shop.items': route('items'), ...hashing.routes }
      assert.equal((await line(t, 'key of masks', { routes, ...fails }))?.[0], 'failed')
    })
  })

  describe('of the dead letters', () => {
    const source = (count: DeadLetterSource['count']): DeadLetterSource => ({
      receive: () => assert.fail('no letter is received'),
      remove: () => assert.fail('no letter is removed'),
      giveBack: () => assert.fail('no letter is given back'),
      load: () => assert.fail('no letter is loaded'),
      count,
    })

    test('says what happens without a queue', async (t) => {
      assert.deepEqual(await line(t, 'dead-letter queue'), [
        'ok',
        'none is configured: a change that no handler takes halts the stream',
      ])
    })

    test('makes the stream unhealthy as long as letters wait', async (t) => {
      const { dependencies } = await well(t, { deadLetters: source(async () => 3) })
      const { healthy, checks } = await doctor(dependencies)
      const found = checks.find(({ name }) => name === 'dead-letter queue')
      assert.deepEqual([healthy, found?.result], [false, 'attention'])
      assert.match(found?.detail ?? '', /^about 3 changes are waiting\./)
      assert.deepEqual(found?.next, [
        { action: 'redrive', dryRun: true, purpose: 'see why they failed' },
        { action: 'redrive', purpose: 'send them again after the deployment' },
      ])
      const none = await doctor({ ...dependencies, deadLetters: source(async () => 0) })
      assert.deepEqual([none.healthy, lineOf(none.checks, 'dead-letter queue')], [true, ['ok', '0 waiting']])
    })

    test('says whether the network, a right, or the name of the queue is wrong', async (t) => {
      const fail = (cause: unknown) => async () => {
        throw new DtsError('DEAD_LETTER_FAILED', 'The queue cannot be read.', { retryable: true, cause })
      }
      const said = async (cause: unknown) =>
        (await line(t, 'dead-letter queue', { deadLetters: source(fail(cause)) })) ?? []
      const before = 'DEAD_LETTER_FAILED: The queue cannot be read. '
      for (const [cause, advice] of [
        [unreachable(), 'SQS did not answer, so this is the network'],
        [denied(), 'SQS answered and refused'],
        [
          new Error('x'),
          'Deploy the stack, or correct DEAD_LETTER_QUEUE_URL and the roles of poller and recovery.',
        ],
      ] as const) {
        const [result, detail] = await said(cause)
        assert.equal(result, 'failed')
        assert.ok(detail?.startsWith(before + advice), detail)
      }
    })

    test('passes a bucket that answers, even if it refuses to say whether an object exists', async (t) => {
      const probes = [
        async () => {},
        () => Promise.reject(denied()),
        () => Promise.reject(new Error('NoSuchKey')),
      ]
      for (const probeBucket of probes)
        assert.deepEqual(await line(t, 'dead-letter bucket', { probeBucket }), ['ok', 'S3 answers'])
    })

    test('fails for a bucket that does not answer', async (t) => {
      const [result, detail] =
        (await line(t, 'dead-letter bucket', { probeBucket: () => Promise.reject(unreachable()) })) ?? []
      assert.equal(result, 'failed')
      assert.match(
        detail ?? '',
        /^DEAD_LETTER_FAILED: The dead-letter bucket cannot be reached \(Error: connect ECONNREFUSED\)\. S3 did not answer, .*larger than a message then holds the stream\.$/,
      )
    })
  })
})
