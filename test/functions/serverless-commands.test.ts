import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import {
  answerWithCommands,
  errorWithCommands,
  ownPartition,
  serverlessCommands,
} from '../../functions/serverless-commands.ts'
import { toEvent } from '../../infra/operate/arguments.ts'
import { npmCommands } from '../../infra/operate/command-line.ts'
import { DtsError, type NextStep } from '../../lib/errors.ts'
import { stepLine } from '../../lib/recovery/next-steps.ts'
import { parseRecoveryEvent } from '../../lib/recovery/recover.ts'

type Case = readonly [step: NextStep, npm: string, serverless: string]

/** At least one case for each action: an action that is missing here does not compile. */
const cases: Readonly<Record<NextStep['action'], readonly Case[]>> = {
  inspect: [
    [
      { action: 'inspect' },
      'To see how far the stream is and what to do: npm run recovery -- inspect --stage prod',
      `To see how far the stream is and what to do: npx serverless invoke --stage prod -f recovery --data '{"action":"inspect"}'`,
    ],
  ],
  doctor: [
    [
      { action: 'doctor' },
      'To examine the set-up: npm run recovery -- doctor --stage prod',
      `To examine the set-up: npx serverless invoke --stage prod -f recovery --data '{"action":"doctor"}'`,
    ],
  ],
  resume: [
    [
      { action: 'resume', purpose: 'let the stream continue then' },
      'To let the stream continue then: npm run recovery -- resume --stage prod',
      `To let the stream continue then: npx serverless invoke --stage prod -f recovery --data '{"action":"resume"}'`,
    ],
  ],
  pause: [
    [
      { action: 'pause' },
      'To stop the stream at its position: npm run recovery -- pause --stage prod',
      `To stop the stream at its position: npx serverless invoke --stage prod -f recovery --data '{"action":"pause"}'`,
    ],
  ],
  release: [
    [
      { action: 'release' },
      'To break the lease: npm run recovery -- release --stage prod',
      `To break the lease: npx serverless invoke --stage prod -f recovery --data '{"action":"release"}'`,
    ],
  ],
  reset: [
    [
      { action: 'reset' },
      'To move the checkpoint: npm run recovery -- reset --stage prod',
      `To move the checkpoint: npx serverless invoke --stage prod -f recovery --data '{"action":"reset"}'`,
    ],
    [
      { action: 'reset', to: 'committed' },
      'To move the checkpoint: npm run recovery -- reset --to committed --stage prod',
      `To move the checkpoint: npx serverless invoke --stage prod -f recovery --data '{"action":"reset","to":"committed"}'`,
    ],
    [
      { action: 'reset', to: { timestamp: 1_795_433_580 } },
      'To move the checkpoint: npm run recovery -- reset --to 1795433580 --stage prod',
      `To move the checkpoint: npx serverless invoke --stage prod -f recovery --data '{"action":"reset","to":{"timestamp":1795433580}}'`,
    ],
    [
      { action: 'reset', to: { offset: '11' }, acceptLoss: true, purpose: 'accept the loss' },
      'To accept the loss: npm run recovery -- reset --to-offset 11 --accept-loss --stage prod',
      `To accept the loss: npx serverless invoke --stage prod -f recovery --data '{"action":"reset","to":{"offset":"11"},"acceptLoss":true}'`,
    ],
    [
      { action: 'reset', to: { ledger: 2 } },
      'To move the checkpoint: npm run recovery -- reset --to-ledger 2 --stage prod',
      `To move the checkpoint: npx serverless invoke --stage prod -f recovery --data '{"action":"reset","to":{"ledger":2}}'`,
    ],
    [
      { action: 'reset', token: 'abc' },
      'To move the checkpoint: npm run recovery -- reset --token abc --stage prod',
      `To move the checkpoint: npx serverless invoke --stage prod -f recovery --data '{"action":"reset","token":"abc"}'`,
    ],
  ],
  redrive: [
    [
      { action: 'redrive', dryRun: true },
      'To list the dead letters and why they failed: npm run recovery -- redrive --dry-run --stage prod',
      `To list the dead letters and why they failed: npx serverless invoke --stage prod -f recovery --data '{"action":"redrive","dryRun":true}'`,
    ],
    [
      { action: 'redrive', table: "shop.o'rders 2" },
      `To send the dead letters again: npm run recovery -- redrive --table 'shop.o'\\''rders 2' --stage prod`,
      `To send the dead letters again: npx serverless invoke --stage prod -f recovery --data '{"action":"redrive","table":"shop.o'\\''rders 2"}'`,
    ],
  ],
  wait: [
    [
      { action: 'wait', until: '2026-01-31T08:00:00.000Z' },
      'Wait until 2026-01-31T08:00:00.000Z and run the same again.',
      'Wait until 2026-01-31T08:00:00.000Z and run the same again.',
    ],
  ],
  deploy: [
    [
      { action: 'deploy', change: 'Correct the handler', purpose: 'end the failures' },
      'Correct the handler and deploy, to end the failures: npx serverless deploy --stage prod',
      'Correct the handler and deploy, to end the failures: npx serverless deploy --stage prod',
    ],
  ],
}

/** The arguments that a shell makes of the command at the end of a line. */
function argumentsOf(line: string, program: string): string[] {
  const command = line.slice(line.indexOf(program))
  const shown = command.replace(program, "printf '%s\\0'")
  return execFileSync('sh', ['-c', shown], { encoding: 'utf8' }).split('\0').slice(0, -1)
}

describe('a next step', () => {
  for (const [step, npm, serverless] of Object.values(cases).flat()) {
    const { purpose: _, ...event } = step
    test(`${JSON.stringify(event)} is written by npm and by serverless`, () => {
      assert.equal(stepLine(step, npmCommands({ stage: 'prod' })), npm)
      assert.equal(stepLine(step, serverlessCommands('--stage prod')), serverless)
    })
    if (event.action === 'wait' || event.action === 'deploy') continue
    test(`${JSON.stringify(event)}: both commands run as printed and ask for the same`, () => {
      const expected = parseRecoveryEvent(event)
      const call = toEvent(argumentsOf(npm, 'npm run recovery --'))
      assert.deepEqual(parseRecoveryEvent(call?.event), expected)
      assert.equal(call?.functionName, 'dts-functions-prod-recovery')
      const words = argumentsOf(serverless, 'npx serverless invoke')
      assert.deepEqual(words.slice(0, -1), ['--stage', 'prod', '-f', 'recovery', '--data'])
      assert.deepEqual(parseRecoveryEvent(JSON.parse(words.at(-1) ?? '')), expected)
    })
  }

  test('of a named source goes to the recovery of that source', () => {
    assert.equal(
      serverlessCommands('--stage prod', 'crm').recovery({ action: 'inspect' }),
      `npx serverless invoke --stage prod -f recovery-crm --data '{"action":"inspect"}'`,
    )
  })

  test('about a partition names it', () => {
    assert.equal(
      serverlessCommands('--stage prod', 'erp', 2).recovery({ action: 'inspect' }),
      `npx serverless invoke --stage prod -f recovery-erp --data '{"action":"inspect","partition":2}'`,
    )
    assert.equal(ownPartition({ DTS_PARTITIONS: '4', DTS_PARTITION: '2' }), 2)
    // A single poller can also read one partition of several.
    assert.equal(ownPartition({ DTS_PARTITION: '2' }), null)
  })

  test('needs no flags if the code is not deployed', () => {
    assert.equal(
      serverlessCommands('').recovery({ action: 'inspect' }),
      `npx serverless invoke -f recovery --data '{"action":"inspect"}'`,
    )
  })
})

describe('an answer of recovery', () => {
  const next: NextStep[] = [{ action: 'doctor' }]
  const run = [`To examine the set-up: npx serverless invoke -f recovery --data '{"action":"doctor"}'`]

  test('has the commands beside its next steps', () => {
    const answer = { action: 'pause', offset: '3', note: 'Paused.', next } as const
    assert.deepEqual(answerWithCommands(answer, null), { ...answer, run })
    const nothing = { ...answer, next: [] }
    assert.deepEqual(answerWithCommands(nothing, null), nothing)
  })

  test('has the commands in its checks', () => {
    const check = { name: 'DNS', result: 'failed', detail: 'It failed.', next } as const
    const ok = { ...check, result: 'ok', next: [] } as const
    const answer = { action: 'doctor', healthy: false, checks: [check, ok] } as const
    assert.deepEqual(answerWithCommands(answer, null), { ...answer, checks: [{ ...check, run }, ok] })
  })
})

describe('an error that leaves a function', () => {
  test('says after its message what to run, and keeps code, facts, cause, steps and stack', () => {
    const cause = new Error('socket closed')
    const next: NextStep[] = [{ action: 'inspect' }]
    const facts = { offset: '5' }
    const given = new DtsError('DATA_GAP', 'Changes are lost.', { retryable: true, facts, next, cause })
    const error = errorWithCommands(given, null)
    assert.ok(error instanceof DtsError)
    const command = `npx serverless invoke -f recovery --data '{"action":"inspect"}'`
    assert.equal(error.message, `Changes are lost. To see how far the stream is and what to do: ${command}`)
    assert.deepEqual(
      [error.name, error.code, error.retryable, error.facts, error.cause, error.next],
      ['DATA_GAP', 'DATA_GAP', true, facts, cause, next],
    )
    assert.ok(error.stack?.includes(command))
    assert.deepEqual(error.stack?.split('\n').slice(1), given.stack?.split('\n').slice(1))
  })

  test('stays as it is without a next step, and if it is not an error of ours', () => {
    const bare = new DtsError('DATA_GAP', 'Changes are lost.', { retryable: false })
    for (const thrown of [bare, new TypeError('x'), null, 'text'])
      assert.equal(errorWithCommands(thrown, null), thrown)
  })
})
