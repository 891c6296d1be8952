import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Stage } from '../../../../infra/operate/console/stage.ts'
import type { Invoked } from '../../../../infra/operate/invoke-recovery.ts'
import type { PageView } from '../../../../infra/page/messages.ts'
import { Plans } from '../../../../infra/page/plans.ts'
import type { Inspection } from '../../../../lib/recovery/examine/inspect.ts'

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
    { title: 'shop-prod', recovery, deployment, by: 'Ada', now: () => 5_000 },
    { onSeen: () => shown.push(stage.view(0)) },
  )
  return { asked, shown, stage, plans: new Plans(stage) }
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
  assert.deepEqual(view.samples, [{ number: 1, at: 5_000, lag: 9, handled: {} }])
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
