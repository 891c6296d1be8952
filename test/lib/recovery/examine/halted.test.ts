import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Checkpoint, freshPosition } from '../../../../lib/checkpoint/types.ts'
import { defaultDelivery } from '../../../../lib/dispatch/settings.ts'
import { DtsError, type ErrorCode, type Facts } from '../../../../lib/errors.ts'
import { adviseHalted } from '../../../../lib/recovery/examine/halted.ts'
import type { Setup } from '../../../../lib/recovery/examine/setup.ts'
import { open } from '../../../support/open-stream.ts'
import { recommended } from '../../../support/recommended.ts'
import { t0, Writer } from '../../../support/records.ts'
import { damagedAt, like } from '../../../support/streams.ts'

const route = { ...defaultDelivery, functionName: 'test-orders' }
const setup: Setup = {
  checks: [],
  routes: { 'shop.orders': route },
  hasQueue: false,
  unroutedTables: 'halt',
  ghostTables: 'skip',
}

interface Given {
  readonly code: ErrorCode
  readonly facts?: Facts
  readonly offset?: bigint
  readonly setup?: Partial<Setup>
  /** The offset that cannot be read. */
  readonly damagedAt?: bigint
}

function halted(clusterId: string, offset = 5n): Extract<Checkpoint, { readonly state: 'HALTED' }> {
  return {
    ...freshPosition(offset, t0),
    key: 'topic/0',
    epoch: 1,
    owner: null,
    leaseUntil: null,
    generation: 1,
    clusterId,
    replayUntil: null,
    state: 'HALTED',
    halt: { code: 'BATCH_CORRUPT', message: 'Said then.', facts: {}, next: [], at: 0 },
    ledger: [],
    wish: null,
  }
}

async function advice(t: TestContext, given: Given) {
  const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 9))
  const halt = { code: given.code, message: 'Said then.', facts: given.facts ?? {}, next: [], at: 0 }
  const stored: Checkpoint = { ...halted(stream.clusterId, given.offset), halt }
  const log =
    given.damagedAt === undefined
      ? stream
      : damagedAt(stream, given.damagedAt, given.damagedAt, 'BATCH_TOO_LARGE')
  const found = await adviseHalted(stored, log, { ...setup, ...given.setup })
  return { ...found, events: found.next.map((step) => recommended({ next: [step] })) }
}

const resume = { action: 'resume' }
const inspect = { action: 'inspect' }
const skip = { action: 'reset', to: { offset: '6' }, acceptLoss: true }
const at5: Facts = { offset: '5', function: 'test-orders' }

type Case = [what: string, given: Given, events: object | readonly object[], advice: RegExp]
const cases: Case[] = [
  ['a person paused it', { code: 'PAUSED' }, resume, /^Said then\. .*Resume when the stream may continue/],
  [
    'a batch is still too large',
    { code: 'BATCH_TOO_LARGE', damagedAt: 5n, facts: { offset: '5', nextOffset: '6' } },
    [inspect, skip],
    /was tried and still fails, so a resume would halt there again.*BATCH_TOO_LARGE/,
  ],
  [
    'a damaged batch lies after the stored offset',
    { code: 'BATCH_CORRUPT', damagedAt: 7n, facts: { offset: '7' } },
    inspect,
    /Reading at offset 7 was tried and still fails/,
  ],
  [
    'a batch can be read now',
    { code: 'BATCH_CORRUPT', facts: at5 },
    resume,
    /Reading at offset 5 was tried and works now/,
  ],
  [
    'a change is larger than an invocation, and no queue takes it',
    { code: 'EVENT_TOO_LARGE', facts: at5 },
    skip,
    /A resume halts the stream at offset 5 again.*copy the affected rows.*this loses that record/,
  ],
  [
    'the same, but the table is set to halt',
    {
      code: 'EVENT_TOO_LARGE',
      facts: at5,
      setup: { hasQueue: true, routes: { 'shop.orders': { ...route, onFailure: 'halt' } } },
    },
    skip,
    /A resume halts the stream at offset 5 again/,
  ],
  [
    'the same, but a queue is configured now',
    { code: 'EVENT_TOO_LARGE', facts: at5, setup: { hasQueue: true } },
    resume,
    /puts the record at offset 5 into the dead-letter queue/,
  ],
  [
    'the same, but other functions have not reached it: to skip it would lose their changes',
    { code: 'EVENT_TOO_LARGE', facts: at5, offset: 3n },
    resume,
    /stored offset is 3, so other functions have not reached it yet\. Resume until inspect shows offset 5/,
  ],
  [
    'a record that cannot be decoded',
    { code: 'RECORD_INVALID', facts: at5 },
    skip,
    /A resume halts the stream at offset 5 again/,
  ],
  [
    'a handler failed',
    { code: 'HANDLER_FAILED', facts: at5 },
    [resume, skip],
    /the same handler halts the stream there again.*Once inspect shows offset 5 as stored, it can be skipped/,
  ],
  [
    'a row that does not match its schema',
    { code: 'ROW_INVALID' },
    resume,
    /sends the change that the halt names again/,
  ],
  [
    'a filter names a column that the table does not have',
    { code: 'COLUMN_UNKNOWN', facts: at5 },
    [resume, skip],
    /the same handler halts the stream there again/,
  ],
  [
    'the columns of a table changed',
    { code: 'COLUMNS_CHANGED', facts: at5 },
    [resume],
    /A resume accepts these columns/,
  ],
  [
    'a change cannot be masked',
    { code: 'MASK_FAILED', facts: at5 },
    [resume, skip],
    /first correct the handler and deploy/,
  ],
  [
    'a filter cannot compare a value',
    { code: 'CONDITION_INVALID', facts: at5 },
    [resume, skip],
    /the same handler halts the stream there again/,
  ],
  [
    'a table still has no function',
    { code: 'TABLE_UNROUTED', facts: { offset: '5', table: 'shop.new' } },
    inspect,
    /has no function, and UNROUTED_TABLES is halt, so a resume would halt there again/,
  ],
  [
    'a table that had no function has one now',
    { code: 'TABLE_UNROUTED', facts: { offset: '5', table: 'shop.orders' } },
    resume,
    /has one now/,
  ],
  [
    'tables without a function are left out now',
    { code: 'TABLE_UNROUTED', facts: { offset: '5', table: 'shop.new' }, setup: { unroutedTables: 'skip' } },
    resume,
    /UNROUTED_TABLES is skip now/,
  ],
  [
    'a table is left out by its handler now',
    {
      code: 'TABLE_UNROUTED',
      facts: { offset: '5', table: 'shop.tmp' },
      setup: { routes: { 'shop.*': { ...route, except: ['shop.tmp'] } } },
    },
    resume,
    /^A rule leaves that table out now\.$/,
  ],
  [
    'a table is a ghost, which the poller leaves out now',
    { code: 'TABLE_UNROUTED', facts: { offset: '5', table: 'shop._orders_del' } },
    resume,
    /^A rule leaves that table out now\.$/,
  ],
  [
    'a ghost table without a function if the poller delivers ghost tables',
    {
      code: 'TABLE_UNROUTED',
      facts: { offset: '5', table: 'shop._orders_del' },
      setup: { ghostTables: 'deliver' },
    },
    inspect,
    /at offset 5 has no function.*Add a handler for it, or set UNROUTED_TABLES to skip, and deploy\.$/,
  ],
  [
    'a table that the halt does not name',
    { code: 'TABLE_UNROUTED', facts: {} },
    inspect,
    /^The table of the change that the halt names has no function/,
  ],
  [
    'a batch is damaged at the stored offset, and the halt names no offset, or an earlier one',
    { code: 'BATCH_CORRUPT', damagedAt: 5n },
    inspect,
    /Reading at offset 5 was tried and still fails/,
  ],
  [
    'a batch was damaged before the stored offset',
    { code: 'BATCH_CORRUPT', damagedAt: 3n, facts: { offset: '3' } },
    resume,
    /^Reading at offset 5 was tried and works now\.$/,
  ],
  [
    'a record that cannot be handled, and the halt does not say where',
    { code: 'RECORD_INVALID', facts: {} },
    resume,
    /A resume halts the stream that the halt names again.*Resume until inspect shows offset of the halt as stored/,
  ],
  [
    'a change of a function that is gone, and a queue is configured now',
    { code: 'EVENT_TOO_LARGE', facts: { offset: '5', function: 'test-gone' }, setup: { hasQueue: true } },
    resume,
    /puts the record at offset 5 into the dead-letter queue/,
  ],
  [
    'a change of one of two functions, if only the other one is set to halt',
    {
      code: 'EVENT_TOO_LARGE',
      facts: at5,
      setup: {
        hasQueue: true,
        routes: { a: { ...route, functionName: 'test-a', onFailure: 'halt' }, 'shop.orders': route },
      },
    },
    resume,
    /puts the record at offset 5 into the dead-letter queue/,
  ],
  [
    'a handler failed at a later offset',
    { code: 'HANDLER_FAILED', facts: { offset: '12' } },
    [resume, { action: 'reset', to: { offset: '13' }, acceptLoss: true }],
    /at offset 12 again, .*first correct the handler and deploy\. If no handler.*shows offset 12 as stored/,
  ],
  ...[5, 'x5', '5x', '', null].map(
    (offset): Case => [
      `a handler failed at what is no offset: ${JSON.stringify(offset)}`,
      { code: 'HANDLER_FAILED', facts: { offset } },
      resume,
      /^A resume sends the change that the halt names again, .* first correct the handler and deploy\.$/,
    ],
  ),
  [
    'many dead letters',
    { code: 'DEAD_LETTER_BREAKER' },
    [resume, { action: 'redrive' }],
    /^Many changes became dead letters .*First correct the handler.*the same handler halts the stream again.*dead-letter queue/,
  ],
  [
    'any other error',
    { code: 'DEAD_LETTER_FAILED' },
    resume,
    /halted with DEAD_LETTER_FAILED; while its cause lasts, it halts again after a resume/,
  ],
]
for (const [what, given, events, expected] of cases) {
  test(`inspect says what ends a halt: ${what}`, async (t) => {
    const found = await advice(t, given)
    assert.match(found.advice, expected)
    assert.deepEqual(found.events, [events].flat())
  })
}

test('each step that skips a change says what it loses', async (t) => {
  for (const [given, purpose] of [
    [
      { code: 'BATCH_CORRUPT', damagedAt: 5n, facts: { offset: '5', nextOffset: '6' } },
      'skip the batch and lose what it holds',
    ],
    [{ code: 'RECORD_INVALID', facts: at5 }, 'skip that record and lose it'],
    [{ code: 'HANDLER_FAILED', facts: at5 }, 'skip that change and lose it to this stream'],
  ] as const) {
    const { next } = await advice(t, given)
    assert.equal(next.find(({ action }) => action === 'reset')?.purpose, purpose)
  }
})

test('a stream that a person halted without a reason can be resumed', async (t) => {
  const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 9))
  const stored: Checkpoint = { ...halted(stream.clusterId), halt: null }
  const found = await adviseHalted(stored, stream, setup)
  assert.equal(found.advice, 'The stream is halted, and the checkpoint does not say why.')
  assert.deepEqual(recommended(found), resume)
})

test('a batch that cannot be read for another reason than damage is not reported as damaged', async (t) => {
  const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 9))
  const failed = new DtsError('BROKER_FAILED', 'cut off', { retryable: true })
  const log = like(stream, { fetch: () => Promise.reject(failed) })
  await assert.rejects(adviseHalted(halted(stream.clusterId), log, setup), failed)
})
