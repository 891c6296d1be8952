import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRecoveryEvent } from '../../../lib/recovery/recover.ts'

const who = { by: 'x'.repeat(200), reason: 'x'.repeat(1_000) }

const accepted: [event: object, parsed: object][] = [
  [{ action: 'inspect' }, { action: 'inspect' }],
  [{ action: 'doctor' }, { action: 'doctor' }],
  [
    { action: 'reset', ...who },
    { action: 'reset', dryRun: false, acceptLoss: false, ...who },
  ],
  [
    { action: 'reset', to: { offset: '9223372036854775807' }, dryRun: true, acceptLoss: true },
    { action: 'reset', to: { offset: 9_223_372_036_854_775_807n }, dryRun: true, acceptLoss: true },
  ],
  [
    { action: 'reset', to: { offset: 5 } },
    { action: 'reset', to: { offset: 5n }, dryRun: false, acceptLoss: false },
  ],
  [
    { action: 'reset', to: { timestamp: '2026-01-31T08:00:00Z' } },
    { action: 'reset', to: { timestamp: 1_769_846_400 }, dryRun: false, acceptLoss: false },
  ],
  ...['earliest', 'latest', 'committed', { ledger: 0 }].map((to): [object, object] => [
    { action: 'reset', to },
    { action: 'reset', to, dryRun: false, acceptLoss: false },
  ]),
  [
    { action: 'reset', token: 't' },
    { action: 'reset', token: 't', dryRun: false, acceptLoss: false },
  ],
  ...['pause', 'resume', 'release'].flatMap((action): [object, object][] => [
    [{ action }, { action }],
    [
      { action, ...who },
      { action, ...who },
    ],
  ]),
  [{ action: 'redrive' }, { action: 'redrive', max: 100, dryRun: false }],
  [
    { action: 'redrive', table: 'a.b', max: 1_000, dryRun: true },
    { action: 'redrive', table: 'a.b', max: 1_000, dryRun: true },
  ],
  [
    { action: 'redrive', max: 1 },
    { action: 'redrive', max: 1, dryRun: false },
  ],
  [{ action: 'letters' }, { action: 'letters', max: 50 }],
  [
    { action: 'letters', max: 1 },
    { action: 'letters', max: 1 },
  ],
  [
    { action: 'letters', max: 100 },
    { action: 'letters', max: 100 },
  ],
  ...[who, { by: 'Ada', reason: 'a test row' }].map((given): [object, object] => [
    { action: 'discard', message: 'm', ...given },
    { action: 'discard', message: 'm', ...given },
  ]),
  [
    { action: 'replay', table: 'a.b', from: { offset: 0 } },
    { action: 'replay', table: 'a.b', from: { offset: 0n }, dryRun: false },
  ],
  [
    { action: 'replay', table: 'a.b', from: { timestamp: 1_000 }, to: { timestamp: 2_000 }, dryRun: true },
    { action: 'replay', table: 'a.b', from: { timestamp: 1_000 }, to: { timestamp: 2_000 }, dryRun: true },
  ],
  [{ action: 'look' }, { action: 'look', newest: false, max: 50 }],
  [
    {
      action: 'look',
      from: { timestamp: 1_000 },
      to: { offset: 9 },
      newest: true,
      table: 'a.*',
      key: 'id=1',
      max: 200,
    },
    {
      action: 'look',
      from: { timestamp: 1_000 },
      to: { offset: 9n },
      newest: true,
      table: 'a.*',
      key: 'id=1',
      max: 200,
    },
  ],
]

test('recovery accepts its actions, and fills in what a person left out', () => {
  for (const [event, parsed] of accepted) assert.deepEqual(parseRecoveryEvent(event), parsed)
})

const from = { offset: '0' }
const refused: [event: unknown, problem: RegExp][] = [
  [undefined, /expected object/],
  [null, /expected object/],
  ['inspect', /expected object/],
  [{}, /action/],
  [{ action: 'restart' }, /action/],
  [{ action: 'inspect', more: 1 }, /"more"/],
  [{ action: 'doctor', more: 1 }, /"more"/],
  ...['pause', 'resume', 'release', 'reset', 'discard'].flatMap((action): [unknown, RegExp][] => [
    [{ action, more: 1 }, /"more"/],
    [{ action, by: 'x'.repeat(201) }, /200 characters/],
    [{ action, reason: 'x'.repeat(1_001) }, /1000 characters/],
    [{ action, by: 5 }, /string/],
  ]),
  [{ action: 'reset', to: 'beginning' }, /must be "earliest", "latest", "committed", \{"timestamp":…\}/],
  [{ action: 'reset', to: { ledger: -1 } }, />=0 .*to\.ledger/],
  [{ action: 'reset', to: { offset: '1', timestamp: 1 } }, /must be "earliest"/],
  [{ action: 'reset', to: { offset: '9223372036854775808' } }, /must not be above 9223372036854775807/],
  [{ action: 'reset', to: { offset: '-1' } }, /must be decimal digits .*to\.offset/],
  [{ action: 'reset', to: { offset: 'x1' } }, /must be decimal digits .*to\.offset/],
  [{ action: 'reset', to: { offset: '1x' } }, /must be decimal digits .*to\.offset/],
  [{ action: 'reset', to: { offset: 1.5 } }, /must be "earliest"/],
  [{ action: 'reset', to: 'earliest', token: 't' }, /"token" says where to go: leave out "to"/],
  [{ action: 'redrive', table: '' }, /table/],
  [{ action: 'redrive', max: 0 }, /max/],
  [{ action: 'redrive', max: 1_001 }, /max/],
  [{ action: 'redrive', max: 1.5 }, /max/],
  [{ action: 'redrive', more: 1 }, /"more"/],
  [{ action: 'letters', max: 0 }, /max/],
  [{ action: 'letters', max: 101 }, /max/],
  [{ action: 'letters', table: 'a.b' }, /"table"/],
  [{ action: 'look', max: 201 }, /max/],
  [{ action: 'look', table: 'orders' }, /database\.table/],
  [{ action: 'look', key: ' ' }, /names no row/],
  [{ action: 'look', from: 'earliest' }, /must be \{"timestamp":…\} or \{"offset":…\} .*at from/],
  [{ action: 'discard' }, /message/],
  [{ action: 'discard', message: '' }, /message/],
  [{ action: 'replay', from }, /table/],
  [{ action: 'replay', table: '', from }, /table/],
  [{ action: 'replay', table: 'a.b' }, /must be \{"timestamp":…\} or \{"offset":…\} .*at from/],
  [{ action: 'replay', table: 'a.b', from, more: 1 }, /"more"/],
  [{ action: 'replay', table: 'a.b', from: { offset: '0', timestamp: 1 } }, /from/],
  [
    { action: 'replay', table: 'a.b', from, to: 'latest' },
    /must be \{"timestamp":…\} or \{"offset":…\} .*at to/,
  ],
]

test('recovery refuses any other event with the reason, and does nothing', () => {
  for (const [event, problem] of refused) {
    assert.throws(
      () => parseRecoveryEvent(event),
      (error: Error & { code?: string; retryable?: boolean; next?: unknown }) => {
        assert.deepEqual(
          [error.code, error.retryable, error.next],
          ['CONFIG_INVALID', false, [{ action: 'inspect' }]],
        )
        assert.match(error.message, /^The event is not one that recovery knows: .*\. Nothing was done\.$/)
        assert.match(error.message, problem)
        return true
      },
      JSON.stringify(event),
    )
  }
})
