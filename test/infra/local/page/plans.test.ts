import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Plans } from '../../../../infra/local/page/plans.ts'
import type { Answer } from '../../../../infra/local/stack.ts'
import { type Checkpoint, freshPosition } from '../../../../lib/checkpoint/types.ts'
import { checkpointOf } from '../../../support/streams.ts'

const halted: Checkpoint = {
  ...checkpointOf({ ...freshPosition(20n, 0), clusterId: 'c1' }),
  state: 'HALTED',
  halt: { code: 'CLUSTER_CHANGED', message: 'changed', facts: {}, next: [], at: 0 },
}

const dryRun = {
  action: 'reset',
  applied: false,
  from: { clusterId: 'c1', offset: '20', generation: 1 },
  to: { clusterId: 'c2', offset: '520', generation: 2, time: '2026-01-01T00:00:00Z' },
  how: 'anchor',
  repeats: { 'shop.orders': 3 },
  countedTo: null,
  lost: null,
  token: 'proof',
  note: 'It would move.',
}

/** Plans on a recovery that answers each action with these results. Everything that it was asked is written down. */
function plansOn(answers: Readonly<Record<string, unknown>>) {
  const asked: unknown[] = []
  const stream = { checkpoint: halted as Checkpoint }
  const plans = new Plans({
    async invoke(name, event): Promise<Answer> {
      asked.push([name, event])
      const action = name === 'poller' ? 'poller' : String(Reflect.get(Object(event), 'action'))
      return { ok: true, result: answers[action] ?? {} }
    },
    readCheckpoint: async () => stream.checkpoint,
  })
  return { asked, plans, stream }
}

/** The plan of a step. */
async function planOf(plans: Plans, step: string) {
  const planned = await plans.plan(step)
  if (planned === null || !('plan' in planned)) assert.fail(`no plan: ${JSON.stringify(planned)}`)
  return planned.plan
}

describe('the plans of the page', () => {
  test('a plan of a reset is a dry run, and applies exactly that by the token of recovery, once', async () => {
    const { asked, plans } = plansOn({ reset: dryRun })
    const plan = await planOf(plans, 'reset')
    assert.equal(plan.text, 'It would move.')
    assert.deepEqual(
      plan.facts.map(({ name, value }) => `${name}: ${value}`),
      [
        'from: cluster c1, offset 20, generation 1',
        'to: cluster c2, offset 520, generation 2, time 2026-01-01T00:00:00Z',
        'found by: anchor',
        'may repeat: 3 of shop.orders',
        'lost: no change',
      ],
    )
    const dry = ['recovery', { action: 'reset', dryRun: true, by: 'page', reply: 'data' }]
    assert.deepEqual(asked, [dry])
    await plans.apply(plan.token)
    const applied = ['recovery', { action: 'reset', token: 'proof', by: 'page', reply: 'data' }]
    assert.deepEqual(asked, [dry, applied, ['poller', {}]])
    assert.equal(await plans.apply(plan.token), null)
    assert.equal(asked.length, 3)
  })

  test('a token that no plan has, and a step that was not offered, do nothing', async () => {
    const { asked, plans } = plansOn({ reset: dryRun })
    assert.equal(await plans.apply('proof'), null)
    assert.equal(await plans.plan('{"action":"reset"}'), null)
    assert.deepEqual(asked, [])
  })

  test('a plan to resume is not applied after the stream moved', async () => {
    const { asked, plans, stream } = plansOn({ resume: { note: 'The stream continues.' } })
    const [first, second] = [await planOf(plans, 'resume'), await planOf(plans, 'resume')]
    stream.checkpoint = { ...halted, generation: 2 }
    assert.match(
      (await plans.apply(first.token))?.text ?? '',
      /moved since the plan was made\. Nothing was done/,
    )
    assert.deepEqual(asked, [])
    stream.checkpoint = halted
    assert.equal((await plans.apply(second.token))?.text, 'The stream continues.')
    assert.deepEqual(asked[0], ['recovery', { action: 'resume', by: 'page', reply: 'data' }])
  })

  test('the offset counts for a plan only while the stream is stopped', async () => {
    const { plans, stream } = plansOn({ pause: { note: 'Paused.' }, resume: { note: 'Resumed.' } })
    const resume = await planOf(plans, 'resume')
    stream.checkpoint = { ...halted, offset: 21n }
    assert.match((await plans.apply(resume.token))?.text ?? '', /Nothing was done/)
    const running: Checkpoint = { ...halted, state: 'RUNNING' }
    stream.checkpoint = running
    const pause = await planOf(plans, 'pause')
    stream.checkpoint = { ...running, offset: 30n }
    assert.equal((await plans.apply(pause.token))?.text, 'Paused.')
  })

  test('only the last 50 plans are kept', async () => {
    const { plans } = plansOn({ resume: { note: 'Resumed.' } })
    const made: string[] = []
    for (let n = 0; n < 51; n++) made.push((await planOf(plans, 'resume')).token)
    assert.equal(await plans.apply(made[0] ?? ''), null)
    assert.equal((await plans.apply(made[1] ?? ''))?.text, 'Resumed.')
  })

  test('a step that recovery advises can be planned with all that it says', async () => {
    const next = [
      { action: 'deploy', change: 'Correct the handler' },
      { action: 'reset', to: { offset: '21' }, acceptLoss: true, purpose: 'skip that change' },
    ]
    const { asked, plans } = plansOn({ inspect: { advice: 'Skip it.', next }, reset: dryRun })
    const { text, steps } = await plans.advise()
    assert.equal(text, 'Skip it.')
    assert.deepEqual(
      steps.map(({ text, id }) => [text, id === null]),
      [
        ['Correct the handler and save the file: it is built and served at once', true],
        ['skip that change', false],
      ],
    )
    await planOf(plans, steps[1]?.id ?? '')
    const event = { action: 'reset', to: { offset: '21' }, acceptLoss: true, dryRun: true }
    assert.deepEqual(asked[1], ['recovery', { ...event, by: 'page', reply: 'data' }])
  })

  test('a refused dry run is shown with its steps, and leaves no plan', async () => {
    const error = { code: 'DATA_GAP', message: 'Changes are gone.', facts: {}, next: [{ action: 'inspect' }] }
    const { plans } = plansOn({ reset: { error } })
    const planned = await plans.plan('reset')
    assert.ok(planned !== null && 'refused' in planned)
    assert.equal(planned.refused.text, 'DATA_GAP: Changes are gone.')
    assert.equal(planned.refused.steps.length, 1)
  })

  test('a failed apply does not start the poller', async () => {
    const error = { code: 'PLAN_OUTDATED', message: 'The log changed.', facts: {}, next: [] }
    const answers: Record<string, unknown> = { reset: dryRun }
    const { asked, plans } = plansOn(answers)
    const plan = await planOf(plans, 'reset')
    answers.reset = { error }
    assert.equal((await plans.apply(plan.token))?.text, 'PLAN_OUTDATED: The log changed.')
    assert.equal(asked.length, 2)
  })
})
