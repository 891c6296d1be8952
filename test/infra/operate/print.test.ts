import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { toEvent } from '../../../infra/operate/arguments.ts'
import { print, printJson } from '../../../infra/operate/print.ts'
import type { Inspection } from '../../../lib/recovery/examine/inspect.ts'
import { parseRecoveryEvent } from '../../../lib/recovery/recover.ts'
import type { RedriveResult } from '../../../lib/recovery/resend/redrive.ts'
import type { ReplayResult } from '../../../lib/recovery/resend/replay.ts'
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
  silentSeconds: null,
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

describe('what inspect says of time', () => {
  const lag = (secondsUntilLoss: number | null) =>
    print({ ...inspection, lagSeconds: 50, lagRecords: '3', secondsUntilLoss }, asked).find((line) =>
      line.startsWith('lag'),
    )

  test('the reserve is told as it was found: that nothing is left does not prove a loss', () => {
    assert.equal(lag(86_000), "lag      50 s, 3 records; the log begins 86000 s before the position's time")
    assert.equal(
      lag(-41),
      "lag      50 s, 3 records; the log begins 41 s after the position's time: see below what that means",
    )
    assert.equal(lag(null), 'lag      50 s, 3 records; how long DTS keeps what was not read is not known')
  })

  test('the newest record has its age, or none is claimed', () => {
    assert.ok(
      print({ ...inspection, silentSeconds: 7 }, asked).includes('news     the newest record is 7 s old'),
    )
    assert.ok(print(inspection, asked).includes('news     the age of the newest record is not known'))
  })
})

describe('a command that inspect recommends', () => {
  const commands: [event: object, command: string][] = [
    [{ action: 'resume' }, 'resume'],
    [{ action: 'reset', to: 'committed' }, 'reset --to committed'],
    [{ action: 'reset', to: { offset: '11' }, acceptLoss: true }, 'reset --to-offset 11 --accept-loss'],
    [{ action: 'redrive', dryRun: true }, 'redrive --dry-run'],
  ]
  for (const [event, command] of commands) {
    test(`is printed as people run it: ${command}`, () => {
      const recommended = recoveryCommand(JSON.stringify(event))
      const [printed = ''] = print({ ...inspection, command: recommended }, asked).slice(-1)
      assert.equal(printed, `  npm run recovery -- ${command}`)
      assert.deepEqual(toEvent(command.split(' '))?.event, event)
    })
  }
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

describe('a name from the stream that a terminal would obey', () => {
  const name = 'shop.or\nok       DTS: fine\u001b[2J\u009b31m\u202e\u2066\u007f\u200b\u2028ders'
  const isObeyed = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
  const letter = {
    table: name,
    function: name,
    offset: '3',
    generation: 1,
    at: name,
    attempts: 5,
    error: name,
    outcome: 'failed' as const,
  }
  const place = { clusterId: name, offset: '4', generation: 1, time: name }
  const halt = { code: 'TABLE_UNROUTED' as const, message: `no ${name}`, facts: { table: name }, at: 0 }
  const answers: [action: string, answer: unknown, lines: number][] = [
    [
      'inspect',
      {
        ...inspection,
        checks: [{ name: 'topic', result: 'failed', detail: name }],
        stored: {
          offset: '1',
          timestamp: 1,
          time: '1',
          times: name,
          clusterId: name,
          generation: 1,
          state: 'HALTED',
          halt,
          leaseUntil: null,
          lanes: { [name]: name },
        },
        found: { clusterId: name, earliest: '0', end: '9', times: null },
        group: { offset: '1', metadata: name },
        ledger: [{ at: 0, by: name, how: name, from: null, to: place, entry: null }],
        advice: name,
        command: name,
      },
      16,
    ],
    ['doctor', { action: 'doctor', healthy: false, checks: [{ name, result: 'failed', detail: name }] }, 3],
    [
      'reset',
      {
        action: 'reset',
        applied: true,
        from: place,
        to: place,
        how: 'anchor',
        repeats: { [name]: 3 },
        countedTo: null,
        lost: null,
        token: null,
        note: name,
      },
      6,
    ],
    ['pause', { action: 'pause', offset: '3', note: name }, 2],
    [
      'redrive',
      { action: 'redrive', letters: [letter], redriven: 0, left: 1, error: name, notes: [name] },
      4,
    ],
    [
      'replay',
      {
        action: 'replay',
        table: name,
        function: name,
        replayed: 3,
        from: '3',
        next: '6',
        complete: false,
        error: name,
        note: name,
      },
      6,
    ],
    ['an error', { errorType: 'TABLE_UNROUTED', errorMessage: `no ${name}` }, 1],
    ['an error without a message', { [name]: name }, 1],
    ['a text', name, 1],
  ]
  for (const [action, answer, count] of answers) {
    test(`${action}: it reaches the terminal as escapes, in lines of the answer's own`, () => {
      const event = { action: 'replay', table: name, from: { offset: '3' } }
      const printed = print(answer, { event, deployment: '' })
      assert.equal(printed.length, count, printed.join('\n'))
      assert.doesNotMatch(printed.join(''), isObeyed)
      assert.match(printed.join(''), /or\\(u000a|n)ok {7}DTS: fine\\u001b\[2J\\u009b31m\\u202e\\u2066/)
    })

    test(`${action}, as JSON: it is escaped there, and parses to what it was`, () => {
      const json = printJson(answer, { event: { action: 'inspect' }, deployment: '' })
      assert.doesNotMatch(json.replaceAll('\n', ''), isObeyed)
      assert.deepEqual(JSON.parse(json), answer)
    })
  }

  test('in a command that goes on, a shell takes it for the name that it is', () => {
    const partly = {
      action: 'replay',
      table: name,
      function: 'f',
      replayed: 0,
      from: '3',
      next: '6',
      complete: false,
      error: null,
      note: '',
    }
    const table = `${name}'\\`
    const command = print(partly, {
      event: { action: 'replay', table, from: { offset: '3' } },
      deployment: '',
    }).at(-1)
    const shown = command?.trim().replace('npm run recovery --', "printf '%s\\0'") ?? ''
    const words = execFileSync('bash', ['--norc', '-c', shown], {
      encoding: 'utf8',
      env: { LC_ALL: 'C.UTF-8' },
    })
    assert.equal(toEvent(words.split('\0').slice(0, -1))?.event.table, table)
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
