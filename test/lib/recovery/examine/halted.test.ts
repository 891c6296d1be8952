import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Checkpoint, freshPosition } from '../../../../lib/checkpoint/types.ts'
import { defaultDelivery } from '../../../../lib/dispatch/settings.ts'
import type { ErrorCode, Facts } from '../../../../lib/errors.ts'
import { adviseHalted } from '../../../../lib/recovery/examine/halted.ts'
import type { Setup } from '../../../../lib/recovery/examine/setup.ts'
import { open } from '../../../support/open-stream.ts'
import { recommended } from '../../../support/recommended.ts'
import { t0, Writer } from '../../../support/records.ts'
import { damagedAt } from '../../../support/streams.ts'

const route = { ...defaultDelivery, functionName: 'test-orders' }
const setup: Setup = { checks: [], routes: { 'shop.orders': route }, hasQueue: false, unroutedTables: 'halt' }

interface Given {
  readonly code: ErrorCode
  readonly facts?: Facts
  readonly offset?: bigint
  readonly setup?: Partial<Setup>
  /** The offset that cannot be read. */
  readonly damagedAt?: bigint
}

async function advice(t: TestContext, given: Given) {
  const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 9))
  const stored: Checkpoint = {
    ...freshPosition(given.offset ?? 5n, t0),
    key: 'topic/0',
    epoch: 1,
    owner: null,
    leaseUntil: null,
    generation: 1,
    clusterId: stream.clusterId,
    replayUntil: null,
    state: 'HALTED',
    halt: { code: given.code, message: 'Said then.', facts: given.facts ?? {}, next: [], at: 0 },
    ledger: [],
  }
  const log =
    given.damagedAt === undefined
      ? stream
      : damagedAt(stream, given.damagedAt, given.damagedAt, 'BATCH_TOO_LARGE')
  const found = await adviseHalted(stored, log, { ...setup, ...given.setup })
  return { advice: found.advice, events: found.next.map((step) => recommended({ next: [step] })) }
}

const resume = { action: 'resume' }
const inspect = { action: 'inspect' }
const skip = { action: 'reset', to: { offset: '6' }, acceptLoss: true }
const at5: Facts = { offset: '5', function: 'test-orders' }

const cases: [what: string, given: Given, events: object | readonly object[], advice: RegExp][] = [
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
    'many dead letters',
    { code: 'DEAD_LETTER_BREAKER' },
    [resume, { action: 'redrive' }],
    /the same handler halts the stream again.*wait in the dead-letter queue/,
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
