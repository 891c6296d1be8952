import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Stage } from '../../../../infra/operate/console/stage.ts'
import type { Invoked } from '../../../../infra/operate/invoke-recovery.ts'
import { ratesOf } from '../../../../infra/page/browser/store.ts'
import type { PageView } from '../../../../infra/page/messages.ts'
import { Plans } from '../../../../infra/page/plans.ts'
import type { Inspection } from '../../../../lib/recovery/examine/inspect.ts'
import type { LookResult } from '../../../../lib/recovery/examine/look.ts'

const inspection: Inspection = {
  action: 'inspect',
  checks: [
    { name: 'delivery', result: 'failed', detail: 'orders fails', next: [] },
    { name: 'network', result: 'ok', detail: 'fine', next: [] },
  ],
  storedFault: null,
  stored: {
    offset: '20',
    timestamp: 1_790_000_000,
    time: '',
    times: '',
    clusterId: 'c1',
    generation: 3,
    state: 'HALTED',
    halt: { code: 'PAUSED', message: 'Paused by Ada.', facts: {}, next: [], at: 7 },
    leaseUntil: null,
    lanes: { orders: 'done through 25' },
  },
  found: { clusterId: 'c1', earliest: '3', end: '40', times: { first: 1_789_999_400, last: 1_790_000_009 } },
  group: null,
  lagSeconds: 9,
  lagRecords: '20',
  secondsUntilLoss: 600,
  silentSeconds: 1,
  ledger: [],
  advice: 'Resume.',
  next: [{ action: 'resume' }, { action: 'deploy', change: 'Correct the handler' }],
}

/** A stage whose recovery answers with what the test puts into `answers`, by action. */
function stageOf(answers: Record<string, Invoked | object>) {
  const asked: object[] = []
  const clock = { now: 5_000 }
  const recovery = {
    async invoke(event: object): Promise<Invoked> {
      asked.push(event)
      const answer = answers[String(Reflect.get(event, 'action'))] ?? {}
      return 'kind' in answer ? (answer as Invoked) : { kind: 'answered', failed: false, value: answer }
    },
  }
  const deployment = { program: 'npm run recovery --', stage: 'prod' }
  /** What open pages get. */
  const shown: PageView[] = []
  const stage: Stage = new Stage(
    { title: 'shop-prod', recovery, deployment, by: 'Ada', now: () => clock.now },
    { onSeen: () => shown.push(stage.view(0)) },
  )
  return { asked, clock, shown, stage, plans: new Plans(stage) }
}

test('the console shows what inspect found: position, data range, time to loss, lag, and what fails', async () => {
  const { stage } = stageOf({ inspect: inspection })
  await stage.ask({ action: 'inspect' })
  const view = stage.view(0)
  assert.equal(view.checkpoint?.state, 'PAUSED')
  assert.deepEqual(view.log, {
    clusterId: 'c1',
    earliest: '3',
    end: '40',
    times: { first: 1_789_999_400_000, last: 1_790_000_009_000 },
    reserve: 600,
    isBounded: true,
  })
  assert.deepEqual([view.tables, view.changes], [null, null])
  assert.deepEqual(view.troubles, ['delivery (failed): orders fails', 'orders: done through 25'])
  assert.equal(view.hasFaults, false)
})

test('open pages get what an inspection finds at once, also why it failed', async () => {
  const answers: Record<string, Invoked | object> = { inspect: inspection }
  const { shown, plans } = stageOf(answers)
  await plans.advise()
  answers.inspect = { kind: 'unreachable', message: 'shop-prod-recovery could not be invoked' }
  await plans.advise()
  assert.deepEqual(
    shown.map(({ checkpoint, fault }) => [checkpoint?.state, fault]),
    [
      ['PAUSED', null],
      ['PAUSED', 'shop-prod-recovery could not be invoked'],
    ],
  )
})

test('steps that a person does elsewhere come with the command of this stage', async () => {
  const { plans } = stageOf({ inspect: inspection })
  const { steps } = await plans.advise()
  assert.deepEqual(
    steps.map(({ text, id }) => [text, id === null]),
    [
      ['let the stream continue', false],
      ['Correct the handler and deploy: npx serverless deploy --stage prod', true],
    ],
  )
})

test('a function that cannot be invoked is named on the page, and no plan made before it is applied', async () => {
  const answers: Record<string, Invoked | object> = { inspect: inspection, resume: { note: 'It continues.' } }
  const { asked, stage, plans } = stageOf(answers)
  const planned = await plans.plan({ step: 'resume' })
  assert.ok(planned !== null && 'plan' in planned)
  answers.inspect = { kind: 'unreachable', message: 'shop-prod-recovery could not be invoked' }
  assert.match((await plans.apply(planned.plan.token))?.text ?? '', /Nothing was done/)
  assert.ok(asked.every((event) => Reflect.get(event, 'action') === 'inspect'))
  // The last known state stays, next to the fault.
  const view = stage.view(0)
  assert.equal(view.fault, 'shop-prod-recovery could not be invoked')
  assert.equal(view.checkpoint?.offset, '20')
  answers.inspect = inspection
  await stage.ask({ action: 'inspect' })
  assert.equal(stage.view(0).fault, null)
})

test('recovery learns who acts, and a function that ends with an error is a refusal', async () => {
  const resume = {
    kind: 'answered',
    failed: true,
    value: { errorType: 'Sandbox.Timedout', errorMessage: 'late' },
  } as const
  const { asked, plans } = stageOf({ inspect: inspection, resume })
  const planned = await plans.plan({ step: 'resume' })
  assert.ok(planned !== null && 'plan' in planned)
  assert.equal((await plans.apply(planned.plan.token))?.text, 'Sandbox.Timedout: late')
  assert.deepEqual(asked.at(-1), { action: 'resume', by: 'Ada' })
})

test('the events of the console are moves and changes of columns, the newest first', async () => {
  const place = (offset: string) => ({ clusterId: 'c1', offset, generation: 3 })
  const version = { generation: 3, added: [], lost: [], retyped: [] }
  const columns = {
    tables: [
      {
        table: 'shop.orders',
        columns: ['id', 'note'],
        versions: [
          { ...version, version: 1, offset: '3', time: null },
          { ...version, version: 2, offset: '9', time: '2026-11-28T01:00:00Z (1795827600)', added: ['note'] },
        ],
      },
    ],
    others: 0,
  }
  const at = Date.UTC(2026, 10, 28)
  const entry = { by: 'Ada', how: 'reset', from: place('4'), to: place('2'), entry: 0 }
  const ledger = [
    { ...entry, at },
    { ...entry, at: at + 7_200_000 },
  ]
  const { stage } = stageOf({ inspect: { ...inspection, ledger, columns } })
  await stage.ask({ action: 'inspect' })
  assert.deepEqual(stage.view(0).events, [
    '2026-11-28T02:00:00Z  reset  4 → 2  by Ada',
    '2026-11-28T01:00:00Z  the columns of shop.orders changed at offset 9 (new: note)',
    '2026-11-28T00:00:00Z  reset  4 → 2  by Ada',
  ])
})

const running = {
  ...inspection,
  stored: inspection.stored && { ...inspection.stored, state: 'RUNNING' as const, halt: null },
}

/** A look that read `from` to `to`, with as many changes of shop.orders. The checkpoint is at `done`. */
function looked(from: number, to: number, done: number, given: Partial<LookResult> = {}): LookResult {
  const change = (offset: number): LookResult['changes'][number] => ({
    id: String(offset),
    offset: String(offset),
    operation: 'INSERT',
    table: 'shop.orders',
    key: `id=${offset}`,
    at: 0,
    columns: [],
    text: null,
    functions: ['orders'],
    masked: [],
    withheld: null,
    fate: { kind: offset < done ? 'done' : 'waiting', reason: null },
  })
  const changes = Array.from({ length: to - from }, (_, at) => change(from + at))
  return {
    action: 'look',
    clusterId: 'c1',
    range: { earliest: '3', end: String(to) },
    read: { from: String(from), to: String(to), records: to - from },
    changes,
    more: 0,
    unsearched: 0,
    tables:
      to === from
        ? []
        : [
            {
              table: 'shop.orders',
              function: 'orders',
              changes: to - from,
              lastOffset: String(to - 1),
              lastOperation: 'INSERT',
            },
          ],
    otherTables: 0,
    position: {
      clusterId: 'c1',
      offset: String(done),
      generation: 3,
      begin: null,
      timestamp: 1_790_000_000,
      state: 'RUNNING',
      halt: null,
      lagSeconds: 2,
      ahead: {},
    },
    next: null,
    error: null,
    notes: [],
    ...given,
  }
}

const actions = (asked: readonly object[]) => asked.map((event) => Reflect.get(event, 'action'))

test('a refresh costs one invocation, and none while no page is seen', async () => {
  const answers: Record<string, object> = { inspect: running, look: looked(20, 40, 30) }
  const { asked, clock, stage } = stageOf(answers)
  await stage.refresh(0)
  assert.deepEqual(asked, [])
  await stage.refresh(1)
  assert.deepEqual(actions(asked), ['inspect', 'look'])
  await stage.refresh(1)
  clock.now += 14_999
  await stage.refresh(1)
  assert.equal(asked.length, 2)
  clock.now += 1
  await stage.refresh(0)
  assert.equal(asked.length, 2)
  answers.look = looked(40, 45, 40)
  await stage.refresh(1)
  assert.deepEqual(asked.slice(2), [{ action: 'look', max: 60, from: { offset: '40' }, newest: true }])
  // A halt is examined with the refresh after the one that saw it.
  const { position } = looked(45, 45, 40)
  const halt = { code: 'PAUSED', message: 'Paused.', at: 9 } as const
  answers.look = looked(45, 45, 40, { position: position && { ...position, state: 'PAUSED', halt } })
  clock.now += 15_000
  await stage.refresh(1)
  assert.equal(stage.view(0).checkpoint?.state, 'PAUSED')
  clock.now += 15_000
  await stage.refresh(1)
  assert.deepEqual(actions(asked).slice(3), ['look', 'inspect', 'look'])
})

test('the console shows what looks tell: changes, what is handled and waits by table, lag and checkpoint', async () => {
  const answers: Record<string, object> = { inspect: running, look: looked(20, 40, 30) }
  const { clock, stage } = stageOf(answers)
  await stage.refresh(1)
  const first = stage.view(0)
  assert.deepEqual(
    first.tables?.map(({ table, handled, waiting, replays }) => [table, handled, waiting, replays]),
    [['shop.orders', 0, 10, null]],
  )
  assert.deepEqual(
    first.changes?.slice(-11, -9).map(({ offset, fate }) => [offset, fate.kind]),
    [
      ['30', 'waiting'],
      ['29', 'done'],
    ],
  )
  clock.now += 15_000
  answers.look = looked(40, 50, 45)
  await stage.refresh(1)
  const view = stage.view(0)
  assert.deepEqual(
    view.samples.map(({ lag, handled }) => [lag, handled]),
    [
      [2, { 'shop.orders': 0 }],
      [2, { 'shop.orders': 15 }],
    ],
  )
  assert.deepEqual([view.checkpoint?.offset, view.log?.end, view.tables?.[0]?.waiting], ['45', '50', 5])
  // What waited at the first look is done by now.
  assert.equal(view.changes?.find(({ offset }) => offset === '31')?.fate.kind, 'done')
  assert.match(view.notes.join(), /Replays and the time per change are unknown here/)
  // In 15 s, the log may have lost as much.
  assert.equal(view.log?.reserve, 600 - 15)
})

test('changes that no look read are said to be missing, and give no rate', async () => {
  const answers: Record<string, object> = { inspect: running, look: looked(20, 40, 40) }
  const { clock, stage } = stageOf(answers)
  for (const next of [looked(40, 60, 60), looked(80, 90, 90), looked(90, 95, 95)]) {
    await stage.refresh(1)
    answers.look = next
    clock.now += 15_000
  }
  await stage.refresh(1)
  const { samples, notes } = stage.view(0)
  assert.deepEqual(
    samples.map(({ handled }) => handled['shop.orders']),
    [0, 20, null, 25],
  )
  assert.match(notes.join(), /Offsets 60 to 80 were not read/)
  assert.deepEqual(
    ratesOf(samples, 'shop.orders').map((rate) => (rate === null ? null : Math.round(rate * 15))),
    [null, 20, null, null],
  )
})

test('another cluster begins anew, and nothing there counts as handled', async () => {
  const answers: Record<string, object> = { inspect: running, look: looked(20, 40, 40) }
  const { clock, stage } = stageOf(answers)
  await stage.refresh(1)
  clock.now += 15_000
  const fates = looked(40, 50, 40).changes.map((change) => ({
    ...change,
    fate: { kind: 'unknown', reason: 'The checkpoint belongs to the cluster c1.' } as const,
  }))
  answers.look = looked(40, 50, 40, { clusterId: 'c2', changes: fates })
  await stage.refresh(1)
  const { tables, changes } = stage.view(0)
  assert.deepEqual([tables?.[0]?.handled, tables?.[0]?.waiting, changes?.length], [null, null, 10])
  assert.equal(changes?.[0]?.fate.kind, 'unknown')
  // A move to offset 45 of that log handles nothing.
  const { position } = looked(50, 50, 45)
  answers.look = looked(50, 51, 45, {
    clusterId: 'c2',
    position: position && { ...position, clusterId: 'c2', generation: 4, begin: '45' },
  })
  clock.now += 15_000
  await stage.refresh(1)
  const moved = stage.view(0)
  assert.deepEqual([moved.tables?.[0]?.handled, moved.tables?.[0]?.waiting], [0, 6])
  assert.deepEqual(
    moved.changes?.slice(5, 7).map(({ fate }) => fate.kind),
    ['waiting', 'passed'],
  )
})

test('a change that waited is passed, not done, once the checkpoint was moved past it in the same log', async () => {
  const answers: Record<string, object> = { inspect: running }
  const { position } = looked(40, 41, 35)
  const moved = (begin: string | null) => position && { ...position, generation: 4, begin }
  const fatesAfter = async (begin: string | null) => {
    const { clock, stage } = stageOf(answers)
    answers.look = looked(20, 40, 30)
    await stage.refresh(1)
    answers.look = looked(40, 41, 35, { position: moved(begin) })
    clock.now += 15_000
    await stage.refresh(1)
    const fates = new Map(stage.view(0).changes?.map(({ offset, fate }) => [offset, fate]))
    return ['29', '30', '33', '34', '35'].map((offset) => fates.get(offset))
  }
  const kinds = async (begin: string | null) => (await fatesAfter(begin)).map((fate) => fate?.kind)
  // The stream was moved to 34, and has read on to 35.
  assert.deepEqual(await kinds('34'), ['done', 'passed', 'passed', 'done', 'waiting'])
  assert.match(JSON.stringify((await fatesAfter('34'))[1]), /It waited when the checkpoint was moved past it/)
  // Moved to the same place, or back: all of it was read after that.
  for (const begin of ['30', '25', null])
    assert.deepEqual(await kinds(begin), ['done', 'done', 'done', 'done', 'waiting'])
})

test('a failed look is named, and the next one begins at the end of the log', async () => {
  const answers: Record<string, object> = { inspect: running, look: looked(20, 40, 40) }
  const { asked, clock, stage } = stageOf(answers)
  await stage.refresh(1)
  const error = { code: 'CHECKPOINT_OUT_OF_RANGE', message: 'The log has no part', facts: {}, next: [] }
  answers.look = { error }
  clock.now += 15_000
  await stage.refresh(1)
  assert.equal(stage.view(0).fault, 'CHECKPOINT_OUT_OF_RANGE: The log has no part')
  answers.look = looked(60, 70, 70)
  clock.now += 15_000
  await stage.refresh(1)
  assert.deepEqual(actions(asked).slice(3), ['inspect', 'look'])
  assert.deepEqual(asked.at(-1), { action: 'look', max: 60 })
  assert.equal(stage.view(0).fault, null)
})

test('with a recovery function that cannot look, the console says so and shows what inspect knows', async () => {
  const error = {
    code: 'CONFIG_INVALID',
    message: 'The event is not one that recovery knows: Invalid input. Nothing was done.',
    facts: {},
    next: [],
  }
  const { asked, clock, stage } = stageOf({ inspect: running, look: { error } })
  await stage.refresh(1)
  clock.now += 15_000
  await stage.refresh(1)
  const view = stage.view(0)
  assert.deepEqual([view.changes, view.fault, view.checkpoint?.offset], [null, null, '20'])
  assert.match(view.troubles.join(), /of an older version, which cannot look at the log\. Deploy this one\./)
  assert.deepEqual(actions(asked), ['inspect', 'look', 'inspect'])
  assert.deepEqual(
    view.samples.map(({ lag }) => lag),
    [9],
  )
})

test('a search asks for the row below the records that were searched, and marks a dead letter', async () => {
  const found = looked(20, 22, 30, {
    range: { earliest: '3', end: '50' },
    next: { to: { offset: '20' } },
    notes: ['2 changes were not searched.'],
  })
  const letter = {
    table: 'shop.orders',
    offset: '21',
    generation: 3,
    clusterId: 'c1',
    error: 'HANDLER_FAILED: no',
  }
  // A letter of the cluster before a move: its change has another offset now, and the same id and time.
  const moved = {
    table: 'shop.orders',
    offset: '3',
    generation: 2,
    clusterId: 'c0',
    error: 'HANDLER_FAILED: old',
  }
  const other = { ...moved, change: { id: '20', timestamp: 9 } }
  const before = { ...moved, change: { id: '20', timestamp: 0 } }
  const letters = { action: 'letters', letters: [letter, other, before], waiting: 3 }
  const answers: Record<string, object> = { inspect: running, look: looked(20, 40, 30), letters }
  const { asked, stage } = stageOf(answers)
  await stage.refresh(1)
  await stage.ask({ action: 'letters' })
  answers.look = found
  const answer = await stage.search({ table: 'shop.orders', key: 'id=7', before: '30' })
  assert.deepEqual(asked.slice(3), [
    { action: 'look', key: 'id=7', table: 'shop.orders', to: { offset: '30' } },
  ])
  assert.deepEqual(
    [answer.searched, answer.isPartial, answer.older, answer.notes],
    [{ from: '20', to: '21' }, true, '20', ['2 changes were not searched.']],
  )
  assert.deepEqual(
    answer.changes.map(({ offset, fate }) => [offset, fate]),
    [
      ['21', { kind: 'dead', reason: 'HANDLER_FAILED: no' }],
      ['20', { kind: 'dead', reason: 'HANDLER_FAILED: old' }],
    ],
  )
  const failing = stageOf({ look: { kind: 'unreachable', message: 'could not be invoked' } })
  await assert.rejects(failing.stage.search({ table: null, key: '7', before: null }), {
    message: 'could not be invoked',
  })
})
