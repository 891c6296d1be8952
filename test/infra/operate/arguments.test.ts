import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toEvent } from '../../../infra/operate/arguments.ts'
import { npmCommands } from '../../../infra/operate/command-line.ts'
import { UsageError } from '../../../infra/operate/report.ts'

const calls: [argv: string, event: unknown][] = [
  ['inspect', { action: 'inspect' }],
  ['doctor --json', { action: 'doctor' }],
  ['reset --dry-run', { action: 'reset', dryRun: true }],
  ['reset --to latest --accept-loss --by me', { action: 'reset', to: 'latest', acceptLoss: true, by: 'me' }],
  ['reset --to 1790000000', { action: 'reset', to: { timestamp: '1790000000' } }],
  ['reset --to 2026-01-31T08:00:00Z', { action: 'reset', to: { timestamp: '2026-01-31T08:00:00Z' } }],
  [
    'replay --table shop.orders --from 2026-01-31T08:00:00Z --to 1790000000',
    {
      action: 'replay',
      table: 'shop.orders',
      from: { timestamp: '2026-01-31T08:00:00Z' },
      to: { timestamp: '1790000000' },
    },
  ],
  ['reset --to-timestamp 1790000000', { action: 'reset', to: { timestamp: '1790000000' } }],
  ['reset --to-offset 42', { action: 'reset', to: { offset: '42' } }],
  ['reset --to-ledger 0', { action: 'reset', to: { ledger: 0 } }],
  ['reset --token abc', { action: 'reset', token: 'abc' }],
  ['rollback', { action: 'reset', to: { ledger: 0 } }],
  ['rollback --entry 2 --dry-run --by me', { action: 'reset', to: { ledger: 2 }, dryRun: true, by: 'me' }],
  ['rollback --token abc --accept-loss', { action: 'reset', token: 'abc', acceptLoss: true }],
  ['letters --max 5', { action: 'letters', max: 5 }],
  [
    'discard --message 1-2 --by me --reason test',
    { action: 'discard', message: '1-2', by: 'me', reason: 'test' },
  ],
  [
    'look --table shop.* --key id=7 --from-offset 3 --newest --max 200',
    { action: 'look', table: 'shop.*', key: 'id=7', from: { offset: '3' }, newest: true, max: 200 },
  ],
  ['redrive --table shop.orders --max 5', { action: 'redrive', table: 'shop.orders', max: 5 }],
  [
    'replay --table shop.orders --from-offset 3 --to-timestamp 2026-01-31T08:00:00Z',
    {
      action: 'replay',
      table: 'shop.orders',
      from: { offset: '3' },
      to: { timestamp: '2026-01-31T08:00:00Z' },
    },
  ],
]
for (const [argv, event] of calls) {
  test(`recovery -- ${argv}`, () => {
    assert.deepEqual(toEvent(argv.split(' '))?.event, event)
  })
}

test('stage, service and region choose the function', () => {
  const call = toEvent('inspect --stage prod --service shop --region eu-west-1'.split(' '))
  assert.deepEqual([call?.functionName, call?.region], ['shop-prod-recovery', 'eu-west-1'])
})

const mistakes: [argv: string, message: RegExp][] = [
  ['', /Give one action/],
  ['inspect reset', /Give one action/],
  ['erase', /^erase: there is no action erase$/],
  ['inspect --to latest', /^inspect: --to is not for inspect$/],
  [
    'inspect --accept-loss --dry-run',
    /^inspect: --dry-run is not for inspect; --accept-loss is not for inspect$/,
  ],
  ['reset --to somewhere', /^reset: --to takes earliest, latest, committed or T; --to-offset /],
  ['reset --to latest --to-offset 3', /one place only/],
  ['reset --to-timestamp soon', /^reset: --to takes earliest, /],
  ['reset --to-offset x', /--to-offset and --to-ledger take digits$/],
  ['reset --to-ledger x', /--to-offset and --to-ledger take digits$/],
  ['reset --to 2026-01-31', /^reset: --to takes earliest, /],
  [
    'replay --table shop.orders --from yesterday',
    /^replay: where from is needed: --from T, or --from-offset/,
  ],
  ['replay --table shop.orders --from 1790000000 --from-offset 3', /one place only/],
  [
    'replay --table shop.orders --from-offset 3 --to-ledger 1',
    /^replay: --to takes T; --to-offset takes digits$/,
  ],
  ['replay --accept-loss --table a.b --from-offset 3', /^replay: --accept-loss is not for replay$/],
  ['reset --everything', /Unknown option/],
  ['replay --table shop.orders', /^replay: where from is needed/],
  ['replay --from-offset 3', /^replay: --table takes database\.table, and is needed$/],
  [
    'redrive --max many',
    /^redrive: --max takes a whole number from 1 to 1000; of letters, to 100; of look, to 200$/,
  ],
  ['look --max 201', /^look: --max takes .* of look, to 200$/],
  ['look --table orders', /^look: table must be database\.table/],
  ['look --from yesterday', /^look: --from takes T; --from-offset takes digits$/],
  ['look --to latest', /^look: --to takes T; --to-offset takes digits$/],
  ['look --dry-run', /^look: --dry-run is not for look$/],
  ['rollback --to latest', /goes where the ledger says/],
  ['rollback --to-ledger 1', /goes where the ledger says/],
  ['rollback --entry first', /^rollback: --entry takes a whole number$/],
  ['rollback --table shop.orders', /^rollback: --table is not for rollback$/],
  ['rollback --token X --entry 3', /^--token says where to go: leave out --entry/],
  ['reset --to 1795433580999999', /^reset: --to takes .*; 1795433580999999 is beyond .*microseconds/],
  ['replay --table a.b --from 1795433580999999999', /^replay: where from is needed.*nanoseconds$/],
  ['reset --to-offset 0x10', /take digits$/],
  ['reset --to-offset 1e3', /take digits$/],
  ['reset --to-offset=-0', /take digits$/],
  ['reset --to-offset +5', /take digits$/],
  ['reset --to-offset １２', /take digits$/],
  ['reset --to-offset 9223372036854775808', /take digits$/],
  ['redrive --max 1e3', /^redrive: --max takes a whole number/],
  ['rollback --entry 99999999999999999999', /^rollback: --entry takes a whole number$/],
  ['inspect --stage=', /^--stage needs a value\.$/],
  ['reset --by=\u00a0', /^--by needs a value\.$/],
  ['reset --entry 1', /--entry belongs to rollback/],
  ['reset --token abc --to latest', /^--token says where to go: leave out --to/],
]
for (const [argv, message] of mistakes) {
  test(`recovery -- ${argv || '(nothing)'}: refused before anything is invoked`, () => {
    assert.throws(
      () => toEvent(argv.split(' ').filter(Boolean)),
      (error) => error instanceof UsageError && message.test(error.message),
    )
  })
}

test('recovery -- --source addresses the recovery of that source, and its commands keep the source', () => {
  const call = toEvent('reset --dry-run --source crm --stage prod'.split(' '))
  assert.equal(call?.functionName, 'dts-functions-prod-recovery-crm')
  assert.deepEqual(call?.event, { action: 'reset', dryRun: true })
  const { deployment } = call ?? { deployment: {} }
  const again = npmCommands(deployment).recovery({ action: 'inspect' })
  assert.equal(again, 'npm run recovery -- inspect --stage prod --source crm')
  assert.throws(() => toEvent(['inspect', '--source', ' ']), { message: '--source needs a value.' })
})

test('recovery -- --partition is sent with the event, and its commands keep the partition', () => {
  const call = toEvent('inspect --source erp --partition 3'.split(' '))
  assert.deepEqual([call?.deployment.source, call?.deployment.partition], ['erp', 3])
  const { deployment } = call ?? { deployment: {} }
  const again = npmCommands(deployment).recovery({ action: 'resume' })
  assert.equal(again, 'npm run recovery -- resume --source erp --partition 3')
  for (const wrong of ['x', '-1', '1.5'])
    assert.throws(() => toEvent(['inspect', `--partition=${wrong}`]), {
      message: /--partition takes the number/,
    })
})
