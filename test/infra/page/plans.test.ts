import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readAnswer } from '../../../infra/local/steps.ts'
import { Plans, type StreamPlace } from '../../../infra/page/plans.ts'

const halted: StreamPlace = { clusterId: 'c1', offset: '20', generation: 1, state: 'HALTED' }

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
function plansOn(
  answers: Readonly<Record<string, unknown>>,
  during: (event: { readonly action: string }) => Promise<void> = async () => {},
) {
  const asked: unknown[] = []
  const stream = { place: halted }
  const plans = new Plans({
    async ask(event) {
      asked.push(event)
      await during(event)
      return readAnswer(answers[event.action] ?? {})
    },
    readPlace: async () => stream.place,
    onDone: () => asked.push('done'),
  })
  return { asked, plans, stream }
}

/** The plan of a step. */
async function planOf(plans: Plans, step: string) {
  const planned = await plans.plan({ step })
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
    const dry = { action: 'reset', dryRun: true }
    assert.deepEqual(asked, [dry])
    await plans.apply(plan.token)
    const applied = { action: 'reset', token: 'proof' }
    assert.deepEqual(asked, [dry, applied, 'done'])
    assert.equal(await plans.apply(plan.token), null)
    assert.equal(asked.length, 3)
  })

  test('a token that no plan has, and a step that was not offered, do nothing', async () => {
    const { asked, plans } = plansOn({ reset: dryRun })
    assert.equal(await plans.apply('proof'), null)
    assert.equal(await plans.plan({ step: '{"action":"reset"}' }), null)
    assert.deepEqual(asked, [])
  })

  test('a plan to redrive is not applied after the queue changed, and the answer names the queue', async () => {
    const letter = {
      message: 'm1',
      table: 'shop.orders',
      function: 'orders',
      offset: '7',
      error: 'no',
      change: null,
    }
    const answers: Record<string, object> = { letters: { letters: [letter], waiting: 1 } }
    const { plans } = plansOn(answers)
    const { token } = await planOf(plans, 'redrive')
    answers.letters = { letters: [{ ...letter, message: 'm2' }], waiting: 1 }
    assert.equal(
      (await plans.apply(token))?.text,
      'The queue hands out other letters than when the plan was made. Nothing was done. Plan it again.',
    )
  })

  test('a plan to resume is not applied after the stream moved', async () => {
    const { asked, plans, stream } = plansOn({ resume: { note: 'The stream continues.' } })
    const [first, second] = [await planOf(plans, 'resume'), await planOf(plans, 'resume')]
    stream.place = { ...halted, generation: 2 }
    assert.match(
      (await plans.apply(first.token))?.text ?? '',
      /moved since the plan was made\. Nothing was done/,
    )
    assert.deepEqual(asked, [])
    stream.place = halted
    assert.equal((await plans.apply(second.token))?.text, 'The stream continues.')
    assert.deepEqual(asked, [{ action: 'resume' }, 'done'])
  })

  test('the offset counts for a plan only while the stream is stopped', async () => {
    const { plans, stream } = plansOn({ pause: { note: 'Paused.' }, resume: { note: 'Resumed.' } })
    const resume = await planOf(plans, 'resume')
    stream.place = { ...halted, offset: '21' }
    assert.match((await plans.apply(resume.token))?.text ?? '', /Nothing was done/)
    const running: StreamPlace = { ...halted, state: 'RUNNING' }
    stream.place = running
    const pause = await planOf(plans, 'pause')
    stream.place = { ...running, offset: '30' }
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
    assert.deepEqual(asked[1], event)
  })

  test('a refused dry run is shown with its steps, and leaves no plan', async () => {
    const error = { code: 'DATA_GAP', message: 'Changes are gone.', facts: {}, next: [{ action: 'inspect' }] }
    const { plans } = plansOn({ reset: { error } })
    const planned = await plans.plan({ step: 'reset' })
    assert.ok(planned !== null && 'refused' in planned)
    assert.equal(planned.refused.text, 'DATA_GAP: Changes are gone.')
    assert.equal(planned.refused.steps.length, 1)
  })

  test('a failed apply is not taken as done', async () => {
    const error = { code: 'PLAN_OUTDATED', message: 'The log changed.', facts: {}, next: [] }
    const answers: Record<string, unknown> = { reset: dryRun }
    const { asked, plans } = plansOn(answers)
    const plan = await planOf(plans, 'reset')
    answers.reset = { error }
    assert.equal((await plans.apply(plan.token))?.text, 'PLAN_OUTDATED: The log changed.')
    assert.equal(asked.length, 2)
  })
})

const letter = (message: string, offset: string) => ({
  message,
  table: 'shop.orders',
  function: 'orders',
  partition: 0,
  clusterId: 'c1',
  offset,
  generation: 1,
  at: '2026-01-01T00:00:00.000Z',
  attempts: 5,
  error: 'HANDLER_FAILED: no',
  change: null,
})

describe('the plans for dead letters', () => {
  const redriven = { action: 'redrive', letters: [], redriven: 2, left: 0, error: null, notes: [], next: [] }
  const answers = (messages: readonly string[]) => ({
    letters: { action: 'letters', letters: messages.map((name, at) => letter(name, String(at))), waiting: 2 },
    redrive: redriven,
    discard: { action: 'discard', note: 'It is discarded.' },
  })

  test('a redrive names the functions with their first letter, and is not applied after the queue moved', async () => {
    const given = answers(['m1', 'm2'])
    const { asked, plans } = plansOn(given)
    const [first, second] = [await planOf(plans, 'redrive'), await planOf(plans, 'redrive')]
    assert.deepEqual(
      first.facts.map(({ name, value }) => `${name}: ${value}`),
      ['waiting: 2', 'orders: from offset 0 of shop.orders: HANDLER_FAILED: no'],
    )
    given.letters = answers(['m2']).letters
    assert.match((await plans.apply(first.token))?.text ?? '', /Nothing was done/)
    assert.ok(asked.every((event) => JSON.stringify(event) === '{"action":"letters"}'))
    given.letters = answers(['m1', 'm2']).letters
    assert.equal((await plans.apply(second.token))?.text, '2 redriven, 0 left in the queue.')
    assert.deepEqual(asked.slice(-2), [{ action: 'redrive' }, 'done'])
  })

  test('looks and plans do not take the letters from each other', async () => {
    let receivers = 0
    const { plans } = plansOn(answers(['m1']), async ({ action }) => {
      if (action !== 'letters') return
      receivers += 1
      await new Promise(setImmediate)
      assert.equal(receivers, 1)
      receivers -= 1
    })
    const planned = await Promise.all([plans.letters(), plans.plan({ step: 'redrive' }), plans.letters()])
    assert.ok(planned[1] !== null && 'plan' in planned[1])
  })

  test('a redrive of an empty queue, and a discard of a letter that is gone, leave no plan', async () => {
    const { plans } = plansOn(answers([]))
    const empty = await plans.plan({ step: 'redrive' })
    assert.ok(empty !== null && 'refused' in empty && empty.refused.text === 'No dead letter waits.')
    const gone = await plans.plan({ step: 'discard', message: 'm1' })
    assert.ok(gone !== null && 'refused' in gone)
    assert.equal(await plans.plan({ step: 'discard' }), null)
  })

  test('a look that recovery advises names the letters, and sends nothing', async () => {
    const listed = { ...letter('m1', '7'), outcome: 'listed' }
    const next = [{ action: 'redrive', dryRun: true }]
    const { plans } = plansOn({
      inspect: { advice: 'Look.', next },
      redrive: { ...redriven, redriven: 0, left: 3, letters: [listed] },
    })
    const { steps } = await plans.advise()
    const planned = await plans.plan({ step: steps[0]?.id ?? '' })
    assert.ok(planned !== null && 'refused' in planned)
    const text = '3 dead letters wait. These come first:\nshop.orders at offset 7: HANDLER_FAILED: no'
    assert.equal(planned.refused.text, text)
  })

  test('a discard deletes exactly the letter that the plan shows', async () => {
    const { asked, plans } = plansOn(answers(['m1', 'm2']))
    const planned = await plans.plan({ step: 'discard', message: 'm2' })
    assert.ok(planned !== null && 'plan' in planned)
    assert.match(planned.plan.text, /never delivered/)
    assert.deepEqual(
      planned.plan.facts.map(({ value }) => value),
      ['shop.orders', '1', 'orders', 'HANDLER_FAILED: no'],
    )
    await plans.apply(planned.plan.token)
    assert.deepEqual(asked.slice(-2), [{ action: 'discard', message: 'm2' }, 'done'])
  })

  test('a redrive that fails says so with the errors and notes of recovery', async () => {
    const given = answers(['m1', 'm2'])
    given.redrive = {
      ...redriven,
      redriven: 0,
      left: 2,
      error: 'orders: no' as never,
      notes: ['Look.'] as never,
    }
    const { plans } = plansOn(given)
    const { token } = await planOf(plans, 'redrive')
    assert.equal((await plans.apply(token))?.text, '0 redriven, 2 left in the queue. orders: no Look.')
  })
})
