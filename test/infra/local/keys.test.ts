import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ask } from '../../../infra/local/keys.ts'
import { Screen } from '../../../infra/local/screen.ts'
import type { NextStep } from '../../../lib/errors.ts'

/** A stack whose recovery gives this answer, and what it was asked. */
function stackThatAnswers(result: unknown) {
  const asked: unknown[] = []
  const invoke = async (name: string, event: unknown) => {
    asked.push([name, event])
    return { ok: true as const, result }
  }
  return { asked, invoke }
}

const halted = 'A resume sends the change at offset 5 again.'
const next: NextStep[] = [
  { action: 'deploy', change: 'Correct the handler' },
  { action: 'resume' },
  { action: 'redrive', purpose: 'send its dead letters again then' },
  { action: 'reset', to: { offset: '6' }, acceptLoss: true, purpose: 'skip that change' },
]

describe('the answers of recovery on the local screen', () => {
  test('each recommended step is one that works here: a key to press, or a file to save', async () => {
    const screen = new Screen(() => {})
    await ask(stackThatAnswers({ action: 'inspect', advice: halted, next }), { action: 'inspect' }, screen)
    assert.deepEqual(screen.stepLines, [
      'next        Correct the handler and save the file: it is built and served at once',
      '[2] let the stream continue',
      '[3] send its dead letters again then',
      '[4] skip that change',
    ])
    assert.match(String(screen.events), /A resume sends the change at offset 5 again\.$/)
    assert.deepEqual(screen.step(4)?.event, { action: 'reset', to: { offset: '6' }, acceptLoss: true })
    assert.equal(screen.step(1)?.event, null)
  })

  test('the advice comes without the commands of a deployed stack', async () => {
    const stack = stackThatAnswers({ action: 'inspect', advice: halted, next })
    await ask(stack, { action: 'inspect' }, new Screen(() => {}))
    assert.deepEqual(stack.asked, [['recovery', { action: 'inspect', reply: 'data' }]])
  })

  test('advice about deploying and logs is followed by what that means here', async () => {
    for (const advice of ['Correct the handler and deploy.', 'Its error is in /aws/lambda/orders.']) {
      const screen = new Screen(() => {})
      await ask(stackThatAnswers({ advice, next: [] }), { action: 'inspect' }, screen)
      assert.match(
        String(screen.events),
        /\. Here, saving a handler file deploys it, and errors of handlers are on this screen\.$/,
      )
    }
  })

  test('a step that moves the stream says who took it, and starts the poller', async () => {
    const stack = stackThatAnswers({ action: 'resume', note: 'The stream continues.', next: [] })
    await ask(stack, { action: 'resume' }, new Screen(() => {}))
    assert.deepEqual(stack.asked, [
      ['recovery', { action: 'resume', by: 'live view', reply: 'data' }],
      ['poller', {}],
    ])
  })

  test('an error of recovery is shown with its steps', async () => {
    const screen = new Screen(() => {})
    const error = { code: 'GAP', message: 'Changes are gone.', facts: {}, next: [{ action: 'inspect' }] }
    await ask(stackThatAnswers({ error }), { action: 'reset' }, screen)
    assert.match(String(screen.events), /GAP: Changes are gone\.$/)
    assert.deepEqual(screen.stepLines, ['[1] see how far the stream is and what to do'])
  })

  test('a refused move starts no poller', async () => {
    const stack = stackThatAnswers({
      error: { code: 'GAP', message: 'Changes are gone.', facts: {}, next: [] },
    })
    await ask(stack, { action: 'reset' }, new Screen(() => {}))
    assert.deepEqual(stack.asked, [['recovery', { action: 'reset', by: 'live view', reply: 'data' }]])
  })
})
