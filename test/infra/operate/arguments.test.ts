import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toEvent, UsageError } from '../../../infra/operate/arguments.ts'

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
  ['erase', /erase/],
  ['inspect --to latest', /Unrecognized key: "to"/],
  ['reset --to somewhere', /must be "earliest"/],
  ['reset --to latest --to-offset 3', /one place only/],
  ['reset --to-timestamp soon', /to/],
  ['reset --to 2026-01-31', /must be "earliest"/],
  ['replay --table shop.orders --from yesterday', /from/],
  ['replay --table shop.orders --from 1790000000 --from-offset 3', /one place only/],
  ['reset --everything', /Unknown option/],
  ['replay --table shop.orders', /from/],
  ['redrive --max many', /max/],
  ['rollback --to latest', /goes where the ledger says/],
  ['rollback --to-ledger 1', /goes where the ledger says/],
  ['rollback --entry first', /rollback: to/],
  ['rollback --table shop.orders', /Unrecognized key: "table"/],
  ['reset --entry 1', /--entry belongs to rollback/],
  ['reset --token abc --to latest', /leave out "to"/],
]
for (const [argv, message] of mistakes) {
  test(`recovery -- ${argv || '(nothing)'}: refused before anything is invoked`, () => {
    assert.throws(
      () => toEvent(argv.split(' ').filter(Boolean)),
      (error) => error instanceof UsageError && message.test(error.message),
    )
  })
}
