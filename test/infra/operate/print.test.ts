import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { toEvent } from '../../../infra/operate/arguments.ts'
import { print, printJson } from '../../../infra/operate/print.ts'
import type { NextStep } from '../../../lib/errors.ts'
import type { Inspection } from '../../../lib/recovery/examine/inspect.ts'
import type { RedriveResult } from '../../../lib/recovery/resend/redrive.ts'
import type { ReplayResult } from '../../../lib/recovery/resend/replay.ts'

const asked = { event: { action: 'inspect' }, deployment: {} }
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
  next: [],
}

describe('the lines of inspect', () => {
  test('number the ledger entries that a rollback can undo', () => {
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

  test('show the tables whose columns changed, and since when', () => {
    const version = { generation: 7, time: null, added: [], lost: [], retyped: [] }
    const orders = {
      table: 'shop.orders',
      columns: ['id', 'note'],
      versions: [
        { ...version, version: 1, offset: '3' },
        {
          ...version,
          version: 2,
          offset: '812',
          time: '2026-11-28T00:00:00Z (1795824000)',
          added: ['note'],
          lost: ['status'],
          retyped: [{ name: 'id', from: 3, to: 8 }],
        },
      ],
    }
    const others = {
      table: 'shop.items',
      columns: ['id'],
      versions: [{ ...version, version: 1, offset: '4' }],
    }
    const lines = print({ ...inspection, columns: { tables: [orders, others], others: 3 } }, asked)
    const first = lines.findIndex((line) => line.startsWith('columns'))
    assert.deepEqual(lines.slice(first, first + 3), [
      'columns  5 tables; changed:',
      '         shop.orders  version 2 since offset 812 of generation 7, 2026-11-28T00:00:00Z (1795824000)',
      '           new: note; lost: status; of another type: id (3 to 8)',
    ])
    assert.ok(!lines.join().includes('shop.items'))
  })

  test('name the deployment that made the group’s commit', () => {
    const group = { offset: '5', metadata: '1|a|b|c|1|5', by: 'by another deployment (service "a")' }
    assert.ok(
      print({ ...inspection, group }, asked).some((line) => line.includes('offset 5, by another deployment')),
    )
  })

  test('distinguish an unreadable checkpoint from a missing one', () => {
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

describe('the times in the lines of inspect', () => {
  const lag = (secondsUntilLoss: number | null) =>
    print({ ...inspection, lagSeconds: 50, lagRecords: '3', secondsUntilLoss }, asked).find((line) =>
      line.startsWith('lag'),
    )

  test('a reserve of zero is not called a loss', () => {
    assert.equal(lag(86_000), "lag      50 s, 3 records; the log begins 86000 s before the position's time")
    assert.equal(
      lag(-41),
      "lag      50 s, 3 records; the log begins 41 s after the position's time: see below what that means",
    )
    assert.equal(lag(null), 'lag      50 s, 3 records; it is unknown how long DTS keeps unread records')
  })

  test('the age of the newest record is printed, or called unknown', () => {
    assert.ok(
      print({ ...inspection, silentSeconds: 7 }, asked).includes('news     the newest record is 7 s old'),
    )
    assert.ok(print(inspection, asked).includes('news     the age of the newest record is unknown'))
  })
})

describe('the steps that inspect recommends', () => {
  test('follow the advice, each with its purpose and its command, the recommended one first', () => {
    const next: NextStep[] = [
      { action: 'deploy', change: 'Correct the handler' },
      { action: 'resume' },
      { action: 'reset', to: { offset: '6' }, acceptLoss: true, purpose: 'skip the change and lose it' },
      { action: 'wait', until: '2026-01-31T08:00:00.000Z' },
    ]
    const deployment = { stage: 'prod', service: 'shop', region: 'eu-west-1' }
    const lines = print({ ...inspection, advice: 'It failed.', next }, { ...asked, deployment })
    assert.deepEqual(lines.slice(lines.indexOf('It failed.')), [
      'It failed.',
      '',
      'Correct the handler and deploy:',
      '  npx serverless deploy --stage prod --region eu-west-1',
      'To let the stream continue:',
      '  npm run recovery -- resume --stage prod --service shop --region eu-west-1',
      'To skip the change and lose it:',
      '  npm run recovery -- reset --to-offset 6 --accept-loss --stage prod --service shop --region eu-west-1',
      'Wait until 2026-01-31T08:00:00.000Z and run the same again.',
    ])
  })

  const commands: [event: NextStep, command: string][] = [
    [{ action: 'reset', to: { timestamp: 1795433580 } }, 'reset --to 1795433580'],
    [{ action: 'release' }, 'release'],
    [{ action: 'resume' }, 'resume'],
    [{ action: 'reset', to: 'committed' }, 'reset --to committed'],
    [{ action: 'reset', to: { offset: '11' }, acceptLoss: true }, 'reset --to-offset 11 --accept-loss'],
    [{ action: 'redrive', dryRun: true }, 'redrive --dry-run'],
  ]
  for (const [event, command] of commands) {
    test(`are printed as npm commands: ${command}`, () => {
      const [printed = ''] = print({ ...inspection, next: [event] }, asked).slice(-1)
      assert.equal(printed, `  npm run recovery -- ${command}`)
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

  test('distinguish a dry run from a real one', () => {
    assert.deepEqual(print(answer, { event: { ...event, dryRun: true }, deployment: {} }), [
      'Dry run: nothing was sent.',
      'shop-prod-orders would get 3 changes of shop.orders, offsets 3 to 6',
      'Complete.',
    ])
    assert.deepEqual(print(answer, { event, deployment: {} }), [
      'shop-prod-orders took 3 changes of shop.orders, offsets 3 to 6',
      'Complete.',
    ])
  })

  test('print the whole command that continues, and recovery accepts it', () => {
    const table = "shop.o'rders 2"
    const partly = { ...answer, complete: false, error: 'It failed.' }
    const asked = { event: { ...event, table }, deployment: { stage: 'prod' } }
    const printed = print(partly, asked)
    assert.deepEqual(printed.slice(1, -1), ['It failed.', 'Not complete. Continue with', ''])
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
  test('distinguish a dry run from a real one', () => {
    const answer: RedriveResult = {
      action: 'redrive',
      letters: [],
      redriven: 0,
      left: 30,
      error: null,
      notes: [],
      next: [],
    }
    assert.deepEqual(print(answer, { event: { action: 'redrive', dryRun: true }, deployment: {} }), [
      'Dry run: nothing was sent.',
      '30 left in the queue',
    ])
    assert.deepEqual(print(answer, { event: { action: 'redrive' }, deployment: {} }), [
      '0 redriven, 30 left in the queue',
    ])
  })
})

describe('a name from the stream with control characters', () => {
  const name = 'shop.or\nok       DTS: fine\u001b[2J\u009b31m\u202e\u2066\u007f\u200b\u2028ders'
  const controls = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
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
  const halt = {
    code: 'TABLE_UNROUTED' as const,
    message: `no ${name}`,
    facts: { table: name },
    next: [],
    at: 0,
  }
  const answers: [action: string, answer: unknown, lines: number][] = [
    [
      'inspect',
      {
        ...inspection,
        checks: [
          { name: 'topic', result: 'failed', detail: name, next: [{ action: 'redrive', table: name }] },
        ],
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
        next: [{ action: 'resume', purpose: name }],
      },
      18,
    ],
    [
      'doctor',
      { action: 'doctor', healthy: false, checks: [{ name, result: 'failed', detail: name, next: [] }] },
      3,
    ],
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
    ['pause', { action: 'pause', offset: '3', note: name, next: [] }, 2],
    [
      'redrive',
      { action: 'redrive', letters: [letter], redriven: 0, left: 1, error: name, notes: [name], next: [] },
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
    ['an error', { error: { code: 'TABLE_UNROUTED', message: `no ${name}`, facts: {}, next: [] } }, 1],
    ['an error of Lambda', { errorType: 'TABLE_UNROUTED', errorMessage: `no ${name}` }, 1],
    ['an error without a message', { [name]: name }, 1],
    ['a text', name, 1],
  ]
  for (const [action, answer, count] of answers) {
    test(`${action}: it is printed with escapes and adds no line`, () => {
      const event = { action: 'replay', table: name, from: { offset: '3' } }
      const printed = print(answer, { event, deployment: {} })
      assert.equal(printed.length, count, printed.join('\n'))
      assert.doesNotMatch(printed.join(''), controls)
      assert.match(printed.join(''), /or\\(u000a|n)ok {7}DTS: fine\\u001b\[2J\\u009b31m\\u202e\\u2066/)
    })

    test(`${action}, as JSON: it is escaped, and parses to the original name`, () => {
      const json = printJson(answer)
      assert.doesNotMatch(json.replaceAll('\n', ''), controls)
      assert.deepEqual(JSON.parse(json), answer)
    })
  }

  test('in a command that continues, a shell reads the original name', () => {
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
      deployment: {},
    }).at(-1)
    const shown = command?.trim().replace('npm run recovery --', "printf '%s\\0'") ?? ''
    const words = execFileSync('bash', ['--norc', '-c', shown], {
      encoding: 'utf8',
      env: { LC_ALL: 'C.UTF-8' },
    })
    assert.equal(toEvent(words.split('\0').slice(0, -1))?.event.table, table)
  })
})

test('an error is printed with its code, and with what to run on lines of their own', () => {
  const error = {
    code: 'DATA_GAP',
    message: 'Changes would be lost.',
    facts: {},
    next: [{ action: 'reset', to: 'latest', acceptLoss: true, purpose: 'accept the loss' }],
  }
  assert.deepEqual(print({ error }, asked), [
    'DATA_GAP: Changes would be lost.',
    '',
    'To accept the loss:',
    '  npm run recovery -- reset --to latest --accept-loss',
  ])
})
