import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { startOfTimes } from '../../../../lib/checkpoint/source-times.ts'
import {
  type Checkpoint,
  freshPosition,
  type Position,
  type Trouble,
} from '../../../../lib/checkpoint/types.ts'
import { defaultDelivery } from '../../../../lib/dispatch/settings.ts'
import { DtsError } from '../../../../lib/errors.ts'
import type { GroupPosition } from '../../../../lib/kafka/commit-mark.ts'
import type { Stream } from '../../../../lib/kafka/stream.ts'
import { surveyLog } from '../../../../lib/log/survey.ts'
import { advise, adviseFirstStart } from '../../../../lib/recovery/examine/advice.ts'
import type { Check } from '../../../../lib/recovery/examine/checks.ts'
import type { Setup } from '../../../../lib/recovery/examine/setup.ts'
import { open } from '../../../support/open-stream.ts'
import { recommended } from '../../../support/recommended.ts'
import { shift, t0, Writer } from '../../../support/records.ts'
import { committedAfter, damagedAt, like } from '../../../support/streams.ts'

const at = (seconds: number) => (t0 + seconds) * 1000
const since = new Date(at(1)).toISOString()
const again = { action: 'inspect', purpose: 'look again after that' } as const
const route = { ...defaultDelivery, functionName: 'test-orders', attempts: 7, maxAgeSeconds: 60 }
const well: Setup = {
  checks: [],
  routes: { 'shop.orders': route },
  hasQueue: true,
  unroutedTables: 'skip',
  ghostTables: 'skip',
}

const check = (name: string, result: Check['result'], change: Partial<Check> = {}): Check => ({
  name,
  result,
  detail: `what ${name} found`,
  next: [],
  ...change,
})

/** A stream of ten changes, and a checkpoint that has handled five of them. */
async function atFive(t: TestContext, change: Partial<Position> = {}, setup: Partial<Setup> = {}) {
  const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 9))
  const stored: Checkpoint = {
    ...freshPosition(5n, t0 + 4),
    ...change,
    key: 'topic/0',
    epoch: 1,
    owner: null,
    leaseUntil: null,
    generation: 1,
    clusterId: stream.clusterId,
    replayUntil: null,
    ledger: [],
    wish: null,
    state: 'RUNNING',
  }
  const ask = async (log: Stream = stream, read: Checkpoint = stored, mayContinue = true) =>
    await advise(read, log, { ...well, ...setup }, await surveyLog(log, read), {
      now: () => at(20),
      mayContinue: () => mayContinue,
    })
  return { stream, stored, ask }
}

const lanes = (trouble: Partial<Trouble>, name = 'test-orders'): Position['lanes'] => ({
  [name]: {
    through: null,
    anchor: null,
    trouble: { offset: 5n, attempts: 0, since: at(1), nextAt: 0, limit: null, ...trouble },
  },
})

describe('the advice for a running stream', () => {
  test('is empty if nothing needs a person', async (t) => {
    for (const given of [{}, { lanes: lanes({ limit: 4 }) }]) {
      const { ask } = await atFive(t, given, { checks: [check('DNS', 'ok'), check('delivery', 'skipped')] })
      assert.deepEqual(await ask(), {
        advice: 'Position and log agree, and every line of the examination is ok: nothing to do.',
        next: [],
      })
    }
  })

  const correct = { action: 'deploy', change: 'Correct the handler' }
  const later = { action: 'redrive', purpose: 'send its dead letters again then, if there are any' }
  const asked = `Position and log agree. test-orders fails at offset 5 since ${since}: 2 of 7 attempts failed. The change is tried again until those are used up, or for 60 s; `
  const error =
    ". Its error is in the function's log (/aws/lambda/test-orders), by that offset. Correct the handler and deploy."
  const intoQueue = 'then it goes to the dead-letter queue and the stream continues'
  const halts = 'then the stream halts there'
  const failures: [what: string, setup: Partial<Setup>, afterwards: string, next: object[]][] = [
    ['a queue takes the change in the end', {}, intoQueue, [correct, later]],
    ['there is no queue', { hasQueue: false }, halts, [correct]],
    [
      'the table is set to halt',
      { routes: { 'shop.orders': { ...route, onFailure: 'halt' } } },
      halts,
      [correct],
    ],
    [
      'another table has the same function',
      {
        routes: { 'shop.items': { ...route, functionName: 'test-items', attempts: 9 }, 'shop.orders': route },
      },
      intoQueue,
      [correct, later],
    ],
  ]
  for (const [what, setup, afterwards, next] of failures) {
    test(`names the failing function, and what happens to the change if ${what}`, async (t) => {
      const { ask } = await atFive(t, { lanes: lanes({ attempts: 2 }) }, setup)
      assert.deepEqual(await ask(), { advice: asked + afterwards + error, next })
    })
  }

  test('says that the changes of a function that cannot be run wait', async (t) => {
    const { ask } = await atFive(t, { lanes: lanes({ outages: 3 }) })
    assert.deepEqual(await ask(), {
      advice:
        `Position and log agree. test-orders could not be run 3 time(s) since ${since}, at offset 5: its changes wait until it ` +
        "runs again, and none becomes a dead letter. The poller's log has the reason.",
      next: [],
    })
  })

  test('recognises the function of a lane, and a function without a route', async (t) => {
    const lane = await atFive(t, { lanes: lanes({ attempts: 2 }, 'test-orders#1/4/v2') })
    assert.match((await lane.ask()).advice, / test-orders fails at offset 5 /)
    const gone = await atFive(t, { lanes: lanes({ attempts: 2 }, 'test-gone') })
    assert.deepEqual(await gone.ask(), {
      advice:
        `Position and log agree. test-gone failed at offset 5 since ${since}, and no route of this deployment names it: its ` +
        'changes go where the current routes send their tables.',
      next: [],
    })
  })

  test('names each failing function, with the steps of the first that has any', async (t) => {
    const { ask } = await atFive(t, {
      lanes: { ...lanes({ attempts: 2 }, 'test-gone'), ...lanes({ attempts: 2 }) },
    })
    const { advice, next } = await ask()
    assert.match(
      advice,
      /test-gone failed at offset 5 .*current routes send their tables\. test-orders fails at offset 5/,
    )
    assert.deepEqual(next, [correct, later])
  })

  test('contains each check that needs a person, but not the check of delivery if it explains the failure itself', async (t) => {
    const step = { action: 'redrive', dryRun: true } as const
    const checks = [
      check('delivery', 'attention', { next: [{ action: 'doctor' }] }),
      check('dead-letter queue', 'attention', { detail: 'nine wait.', next: [step] }),
    ]
    const late = await atFive(t, {}, { checks })
    assert.deepEqual(await late.ask(), {
      advice: 'Position and log agree. Delivery: what delivery found. Dead-letter queue: nine wait.',
      next: [{ action: 'doctor' }, step],
    })
    const failing = await atFive(t, { lanes: lanes({ attempts: 2 }) }, { checks })
    const { advice, next } = await failing.ask()
    assert.match(advice, /attempts failed.* and deploy\. Dead-letter queue: nine wait\.$/)
    assert.deepEqual(next, [correct, later, step])
  })

  test('names the failed checks first, and to look again after that', async (t) => {
    const deploy = { action: 'deploy', change: 'Repair it' } as const
    const checks = [
      check('DNS', 'ok', { next: [{ action: 'pause' }] }),
      check('topic', 'failed'),
      check('consumer group', 'failed', { next: [{ action: 'inspect' }, deploy] }),
      check('delivery', 'attention', { next: [{ action: 'doctor' }] }),
    ]
    const { ask } = await atFive(t, {}, { checks })
    assert.deepEqual(await ask(), {
      advice:
        'Position and log agree. Not all checks passed. Topic: what topic found. Consumer group: what consumer group found. Delivery: what delivery found.',
      next: [again, deploy],
    })
  })

  test('names another deployment that reads the same group, once', async (t) => {
    const mark = {
      whose: 'another deployment',
      deployment: { service: 'shop', stage: 'dev', table: 'elsewhere' },
      place: { generation: 1, offset: 9n },
    } as const
    const committed = async (): Promise<GroupPosition> => ({ offset: 9n, metadata: '', mark })
    const { stream, ask } = await atFive(t)
    const shared = await ask(like(stream, { committed }))
    assert.match(
      shared.advice,
      /nothing to do\. The last commit of this consumer group is of another deployment/,
    )
    const detail = shared.advice.slice(shared.advice.indexOf('The last commit'))
    const known = await atFive(t, {}, { checks: [check('consumer group', 'failed', { detail })] })
    const { advice } = await known.ask(like(known.stream, { committed }))
    assert.equal(advice.split('another deployment').length, 2)
  })
})

describe('the advice for another log', () => {
  test('is a reset after a cluster change, and says what repeats', async (t) => {
    const { stored, ask } = await atFive(t)
    const { stream } = await open(t, new Writer('rewritten').inserts('shop.orders', 0, 30))
    const later: Checkpoint = { ...stored, timestamp: t0 + 19, times: null }
    const { advice, next } = await ask(like(stream, { clusterId: 'next' }), later)
    assert.match(
      advice,
      /^The log changed, and the last committed change is not in the new one: a reset loses nothing; some/,
    )
    assert.deepEqual(next, [{ action: 'reset' }])
  })

  test('says whether a reset repeats anything if the log has the last committed change', async (t) => {
    const { ask } = await atFive(t)
    const records = new Writer().inserts('shop.orders', 0, 9)
    const { stream } = await open(t, [...shift(), ...records])
    const running = (read: Checkpoint): Checkpoint => ({ ...read, state: 'RUNNING' })
    const found = 'The log changed, and the last committed change is in the new one: a reset loses'
    assert.deepEqual(await ask(stream, running(committedAfter(records.slice(0, 5)))), {
      advice: `${found} and repeats nothing.`,
      next: [{ action: 'reset' }],
    })
    const ahead = { 'test-orders': { through: 7n, anchor: null, trouble: null } }
    const equal = new Writer()
    const rows = [0, 1, 2].map((id) => equal.equalInsert('shop.orders', 5, t0 + id))
    const { stream: among } = await open(t, [...shift(), ...rows])
    for (const [log, read] of [
      [stream, committedAfter(records.slice(0, 5), ahead)],
      [among, committedAfter(rows.slice(1, 2))],
    ] as const)
      assert.deepEqual(await ask(log, running(read)), {
        advice: `${found} nothing; some changes repeat.`,
        next: [{ action: 'reset' }],
      })
  })

  test('is to copy rows and to accept the loss, if changes are lost', async (t) => {
    const { stored, stream, ask } = await atFive(t)
    const lost = like(stream, { clusterId: 'next' })
    const early: Checkpoint = { ...stored, timestamp: t0 - 500, times: startOfTimes(t0 - 500) }
    const { advice, next } = await ask(lost, early)
    assert.match(
      advice,
      /^Changes from \S+ \(\d+\) to \S+ \(\d+\) can no longer be read\. Copy the affected rows from the source/,
    )
    assert.deepEqual(next, [
      { action: 'reset', acceptLoss: true, purpose: 'accept the loss and move the checkpoint' },
    ])
  })

  test('is to look again while damage hides the log, and to search longer if the time was too short', async (t) => {
    const { stored, stream, ask } = await atFive(t)
    const next = like(stream, { clusterId: 'next' })
    const damaged = await ask(damagedAt(next, 0n, 9n))
    assert.deepEqual([damaged.advice, damaged.next], ['damaged', [again]])
    const short = await ask(next, stored, false)
    assert.match(short.advice, /this invocation has no more time/)
    assert.deepEqual(
      short.next.map(({ action }) => action),
      ['deploy'],
    )
  })

  test('is a named place if the checkpoint is dated in the future, and to wait if the log is not filled yet', async (t) => {
    const { stored, stream, ask } = await atFive(t)
    const other = like(stream, { clusterId: 'next' })
    const dated = (seconds: number): Checkpoint => ({
      ...stored,
      timestamp: t0 + seconds,
      times: startOfTimes(t0 + seconds),
    })
    const future = await ask(other, dated(900))
    assert.match(future.advice, /which is in the future, so waiting would last until then/)
    assert.deepEqual(recommended(future), { action: 'reset', to: 'earliest', acceptLoss: true })
    const late = await ask(other, dated(15))
    assert.match(late.advice, /DTS may still be filling it: wait, and run the same again/)
    assert.deepEqual(late.next, [again])
  })

  test('is a choice of two places after a restore, and to break a lease that no run can hold', async (t) => {
    const { stored, stream, ask } = await atFive(t)
    const mark = { whose: 'ours', timestamp: t0, place: { generation: 2, offset: 9n } } as const
    const restored = await ask(like(stream, { committed: async () => ({ offset: 9n, metadata: '', mark }) }))
    assert.deepEqual(
      restored.next.map((step) => recommended({ next: [step] })),
      [
        { action: 'reset', to: 'committed' },
        { action: 'reset', to: { timestamp: t0 + 4 } },
      ],
    )
    const held = await ask(stream, { ...stored, owner: 'x', leaseUntil: Date.UTC(2099, 0) })
    assert.deepEqual(recommended(held), { action: 'release' })
  })
})

describe('the advice for a halted stream', () => {
  const halted = (stored: Checkpoint): Checkpoint => ({
    ...stored,
    state: 'HALTED',
    halt: { code: 'LOG_CHANGED', message: 'no', facts: {}, next: [], at: 0 },
  })

  test('is the fault of the broker if it refuses what the advice needs', async (t) => {
    const { stream, stored, ask } = await atFive(t)
    const error = { code: 'BATCH_CORRUPT', message: 'no', facts: {}, next: [], at: 0 } as const
    const failing = (fault: Error) =>
      like(stream, {
        fetch: (from, bounds) => (from === 5n ? Promise.reject(fault) : stream.fetch(from, bounds)),
      })
    const read: Checkpoint = { ...halted(stored), state: 'HALTED', halt: error }
    const cut = new DtsError('BROKER_FAILED', 'cut off', { retryable: true })
    assert.deepEqual(await ask(failing(cut), read), { advice: 'cut off', next: [again] })
    await assert.rejects(ask(failing(new TypeError('a bug')), read), { name: 'TypeError', message: 'a bug' })
  })

  test('names the failed checks, too', async (t) => {
    const { stream, stored, ask } = await atFive(t, {}, { checks: [check('DNS', 'failed')] })
    const { advice, next } = await ask(stream, halted(stored))
    assert.match(advice, /it halts again after a resume\. Not all checks passed\. DNS: what DNS found\.$/)
    assert.deepEqual(recommended({ next }), { action: 'resume' })
    const fine = await atFive(t)
    assert.match(
      (await fine.ask(fine.stream, halted(fine.stored))).advice,
      /it halts again after a resume\.$/,
    )
  })
})

describe('the advice before the first run', () => {
  const at = (startTime: number | undefined) => ({ startTime, isOneOfSeveral: false })
  test('is to do nothing if the poller can start, or to repair what failed', async (t) => {
    const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 9))
    const begins = 'Nothing was read yet; the poller starts at DTS_CHECKPOINT by itself.'
    assert.deepEqual(await adviseFirstStart(at(t0 + 1), stream, [check('DNS', 'ok')]), {
      advice: begins,
      next: [],
    })
    assert.deepEqual(await adviseFirstStart(at(t0 + 1), stream, [check('DNS', 'failed')]), {
      advice: `${begins} Not all checks passed. DNS: what DNS found.`,
      next: [again],
    })
  })

  test('is another DTS_CHECKPOINT if it is absent or outside the log, and to look again if the log is empty', async (t) => {
    const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 9))
    const another = { action: 'deploy', change: 'Set DTS_CHECKPOINT to a time in the data range' }
    for (const startTime of [undefined, t0 - 99, t0 + 99]) {
      const { advice, next } = await adviseFirstStart(at(startTime), stream, [])
      assert.match(advice, /DTS_CHECKPOINT/)
      assert.deepEqual(next, [another])
    }
    const { stream: empty } = await open(t)
    assert.deepEqual((await adviseFirstStart(at(t0), empty, [])).next, [again])
  })

  test('is to continue at our commit, or first to look at the other deployment that made it', async (t) => {
    const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 9))
    const withMark = (mark: GroupPosition['mark']) =>
      like(stream, { committed: async () => ({ offset: 9n, metadata: '', mark }) })
    const ours = withMark({ whose: 'ours', timestamp: t0, place: null })
    assert.deepEqual(recommended(await adviseFirstStart(at(t0), ours, [])), {
      action: 'reset',
      to: 'committed',
    })
    const other = withMark({
      whose: 'another deployment',
      deployment: { service: 'shop', stage: 'dev', table: 'elsewhere' },
      place: { generation: 1, offset: 9n },
    })
    const { next } = await adviseFirstStart(at(t0), other, [])
    assert.deepEqual(next[0], again)
    // It was lost, and this one replaces it; or the two have to be told apart.
    assert.deepEqual(recommended({ next: next.slice(1) }), { action: 'reset', to: { offset: '9' } })
    assert.deepEqual(recommended({ next: next.slice(2) }), { action: 'reset', to: { timestamp: t0 } })
  })

  test('is no answer if the broker fails in another way', async (t) => {
    const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 9))
    const broken = like(stream, { range: () => Promise.reject(new TypeError('a bug')) })
    await assert.rejects(adviseFirstStart(at(t0), broken, []), { name: 'TypeError', message: 'a bug' })
  })
})
