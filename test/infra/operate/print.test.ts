import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { toEvent } from '../../../infra/operate/arguments.ts'
import { print } from '../../../infra/operate/print.ts'
import { parseRecoveryEvent } from '../../../lib/recover.ts'
import type { Inspection } from '../../../lib/recovery/inspect.ts'
import type { RedriveResult } from '../../../lib/recovery/redrive.ts'
import type { ReplayResult } from '../../../lib/recovery/replay.ts'
import { recoveryCommand } from '../../../lib/recovery-command.ts'

const asked = { event: { action: 'inspect' }, deployment: '' }
const place = (offset: string) => ({ clusterId: 'c', offset, generation: 1 })
const inspection: Inspection = {
  action: 'inspect',
  checks: [],
  storedFault: null,
  stored: null,
  found: null,
  group: null,
  lagSeconds: null,
  lagRecords: null,
  secondsUntilLoss: null,
  ledger: [],
  advice: 'Nothing to do.',
  command: null,
}

describe('the lines of inspect', () => {
  test('number those entries of the ledger that a rollback can undo', () => {
    const ledger = [
      { at: 0, by: 'me', how: 'reset by offset', from: place('9'), to: place('4'), entry: 0 },
      { at: 1, by: 'me', how: 'resume after PAUSED', from: place('4'), to: place('4'), entry: null },
    ]
    const lines = print({ ...inspection, ledger }, asked).filter((line) => line.startsWith('ledger'))
    assert.deepEqual(lines, [
      'ledger   #0  1970-01-01T00:00:00.000Z  reset by offset  9 → 4  by me',
      'ledger       1970-01-01T00:00:00.001Z  resume after PAUSED  4 → 4  by me',
    ])
  })

  test('say a command with a time, and one that breaks a lease, as npm takes them', () => {
    const commands = [
      ['{"action":"reset","to":{"timestamp":1795433580}}', 'reset --to 1795433580'],
      ['{"action":"reset","to":"committed"}', 'reset --to committed'],
      ['{"action":"release"}', 'release'],
    ]
    for (const [event = '', flags = ''] of commands) {
      const lines = print({ ...inspection, command: recoveryCommand(event) }, asked)
      assert.equal(lines.at(-1), `  npm run recovery -- ${flags}`)
      assert.deepEqual(
        parseRecoveryEvent(toEvent(flags.split(' '))?.event),
        parseRecoveryEvent(JSON.parse(event)),
      )
    }
  })

  test('name the deployment whose commit the group has', () => {
    const group = { offset: '5', metadata: '1|a|b|c|1|5', by: 'by another deployment (service "a")' }
    assert.ok(
      print({ ...inspection, group }, asked).some((line) => line.includes('offset 5, by another deployment')),
    )
  })

  test('tell a checkpoint that cannot be read from none', () => {
    const fault = 'CHECKPOINT_TABLE_UNAVAILABLE: The DynamoDB table t does not exist.'
    assert.ok(print({ ...inspection, storedFault: fault }, asked).includes(`stored   ${fault}`))
    assert.ok(
      !print({ ...inspection, storedFault: fault }, asked)
        .join()
        .includes('nothing read yet'),
    )
    assert.ok(print(inspection, asked).join().includes('nothing read yet'))
  })
})

describe('the lines of replay', () => {
  const answer: ReplayResult = {
    action: 'replay',
    table: 'shop.orders',
    function: 'shop-prod-orders',
    replayed: 3,
    from: '3',
    next: '6',
    complete: true,
    error: null,
    note: '',
  }
  const event = {
    action: 'replay',
    table: 'shop.orders',
    from: { offset: '3' },
    to: { timestamp: '2026-01-31T08:00:00Z' },
  }

  test('tell a dry run from one that sent', () => {
    assert.deepEqual(print(answer, { event: { ...event, dryRun: true }, deployment: '' }), [
      'Dry run: nothing was sent.',
      'shop-prod-orders would get 3 changes of shop.orders, offsets 3 to 6',
      'Complete.',
    ])
    assert.deepEqual(print(answer, { event, deployment: '' }), [
      'shop-prod-orders took 3 changes of shop.orders, offsets 3 to 6',
      'Complete.',
    ])
  })

  test('name the whole command that goes on, which is one that recovery takes', () => {
    const table = "shop.o'rders 2"
    const partly = { ...answer, complete: false, error: 'It failed.' }
    const asked = { event: { ...event, table }, deployment: ' --stage prod' }
    const printed = print(partly, asked)
    assert.deepEqual(printed.slice(1, -1), ['It failed.', 'Not complete. Go on with', ''])
    const command = printed.at(-1)?.trim() ?? ''
    const words = execFileSync('sh', ['-c', command.replace('npm run recovery --', "printf '%s\\n'")], {
      encoding: 'utf8',
    })
    const call = toEvent(words.trimEnd().split('\n'))
    assert.deepEqual(call?.event, { ...event, table, from: { offset: '6' } })
    assert.equal(call?.functionName, 'dts-functions-prod-recovery')
  })
})

describe('the lines of redrive', () => {
  test('tell a dry run from one that sent', () => {
    const answer: RedriveResult = {
      action: 'redrive',
      letters: [],
      redriven: 0,
      left: 30,
      error: null,
      notes: [],
    }
    assert.deepEqual(print(answer, { event: { action: 'redrive', dryRun: true }, deployment: '' }), [
      'Dry run: nothing was sent.',
      '30 left in the queue',
    ])
    assert.deepEqual(print(answer, { event: { action: 'redrive' }, deployment: '' }), [
      '0 redriven, 30 left in the queue',
    ])
  })
})

test('what a refusal says in words of the event is said in flags', () => {
  const refusals = [
    ['To accept that, repeat with "acceptLoss": true, and copy.', 'repeat with --accept-loss, and copy.'],
    [
      'Say where to start: "to" with a timestamp, "earliest" or "latest".',
      'start: --to with a time, earliest or latest.',
    ],
  ]
  for (const [errorMessage, expected = ''] of refusals) {
    const [line = ''] = print({ errorType: 'DATA_GAP', errorMessage }, asked)
    assert.ok(line.startsWith('DATA_GAP: ') && line.endsWith(expected), line)
  }
})
