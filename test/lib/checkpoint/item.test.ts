import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Attributes,
  encodeJson,
  encodeLeaseEnd,
  encodeNumber,
  encodeReplay,
  encodeText,
  fromItem,
  positionAttributes,
  stateAttributes,
} from '../../../lib/checkpoint/item.ts'
import {
  type Anchor,
  type Halt,
  haltOf,
  type LedgerEntry,
  type Position,
} from '../../../lib/checkpoint/types.ts'
import { encodeWish } from '../../../lib/checkpoint/wish.ts'

const farOffset = 9_223_372_036_854_775_807n
const anchor: Anchor = {
  offset: farOffset - 1n,
  timestamp: 1,
  sourcePosition: '4@1',
  transactionId: 'tx',
  ordinal: 2,
  digest: 'ab',
}
const position: Position = {
  offset: farOffset,
  timestamp: 1_795_433_580,
  times: {
    settled: 1_795_433_570,
    jump: { from: 1_795_437_170, to: 1_795_437_180, width: 3_600 },
    fall: 3,
    back: { once: 7_200, often: 9 },
    ahead: { once: 3_600, often: 0 },
    halvedAt: 1_795_400_000,
    youngest: 1_795_437_180,
  },
  anchor,
  tail: { offset: farOffset - 1n, digest: 'cd' },
  lanes: {
    orders: { through: farOffset + 5n, anchor: { ...anchor, offset: farOffset + 5n }, trouble: null },
    'items#1/2': {
      through: null,
      anchor: null,
      trouble: { offset: farOffset, attempts: 2, since: 7, nextAt: 8, limit: 500, outages: 1 },
    },
    all: { through: null, anchor: null, trouble: null, begin: farOffset },
    customers: {
      through: 3n,
      anchor: null,
      trouble: { offset: 4n, attempts: 1, since: 7, nextAt: 8, limit: null },
    },
  },
  deadLetters: { since: 1_795_433_580_000, count: 3 },
}
const ledger: LedgerEntry[] = [
  { at: 1, by: 'me', how: 'reset', from: null, to: { clusterId: 'c', offset: '0', generation: 1 } },
]
const halt: Halt = {
  code: 'DATA_GAP',
  message: 'm',
  facts: { offset: String(farOffset), retries: 2, clusterId: null, final: true },
  next: [
    { action: 'inspect', purpose: 'see first what is lost' },
    { action: 'resume' },
    { action: 'reset', to: { timestamp: 1_795_433_580 } },
    { action: 'reset', to: { offset: '7' }, acceptLoss: true },
    { action: 'reset', to: { ledger: 0 }, token: 'abc' },
    { action: 'reset', to: 'committed' },
    { action: 'redrive', table: 'shop.orders', dryRun: true },
    { action: 'wait', until: '2026-11-27T00:00:00.000Z' },
    { action: 'deploy', change: 'Correct the handler' },
  ],
  at: 5,
}
const good: Attributes = {
  ...positionAttributes(position),
  pk: encodeText('topic/0'),
  schemaVersion: encodeNumber(1),
  epoch: encodeNumber(7),
  owner: encodeText('me'),
  leaseUntil: encodeNumber(1_795_433_580_123),
  generation: encodeNumber(2),
  clusterId: encodeText('c'),
  replayUntil: encodeNumber(-1),
  state: encodeText('HALTED'),
  halt: encodeJson(halt),
  ledger: encodeJson(ledger),
}

test('an item reads back as it was written, with every digit of an offset', () => {
  assert.deepEqual(fromItem('topic/0', good), {
    ...position,
    key: 'topic/0',
    epoch: 7,
    owner: 'me',
    leaseUntil: 1_795_433_580_123,
    generation: 2,
    clusterId: 'c',
    replayUntil: null,
    state: 'HALTED',
    halt,
    ledger,
    wish: null,
  })
})

test('an item may lack an owner, an anchor, a tail, lanes and a halt', () => {
  const { owner: _, ...ownerless } = good
  assert.equal(fromItem('topic/0', ownerless).owner, null)
  const fresh = fromItem('topic/0', {
    ...good,
    anchor: encodeJson(null),
    tail: encodeJson(null),
    lanes: encodeJson({}),
    halt: encodeJson(null),
  })
  assert.deepEqual([fresh.anchor, fresh.tail, fresh.lanes, haltOf(fresh)], [null, null, {}, null])
})

test('a next step that only a later version knows is left out, and the item stays readable', () => {
  const later = { ...halt, next: [{ action: 'rewind' }, { action: 'resume' }, 'text', { action: 'wait' }] }
  const item = { ...good, halt: { S: JSON.stringify(later) } }
  assert.deepEqual(haltOf(fromItem('topic/0', item)), { ...halt, next: [{ action: 'resume' }] })
})

test('a wish reads back as it was written, and one that cannot be read counts as none', () => {
  const wish = { owner: 'other', epoch: 7, at: 1_795_433_580_123 }
  const wishOf = (attribute: Attributes[string]) => fromItem('topic/0', { ...good, wish: attribute }).wish
  assert.deepEqual(wishOf(encodeWish(wish)), wish)
  for (const attribute of [
    { S: '{' },
    { S: '{"owner":"other"}' },
    { S: 'null' },
    { N: '5' },
    { NULL: true as const },
  ])
    assert.equal(wishOf(attribute), null)
})

test('a halt with a code of a later version is read after a rollback, and still says why', () => {
  const item = { ...good, halt: { S: JSON.stringify({ ...halt, code: 'TIDE_TOO_HIGH' }) } }
  const read = haltOf(fromItem('topic/0', item))
  assert.deepEqual(read, { ...halt, code: 'STREAM_HALTED', message: `TIDE_TOO_HIGH: ${halt.message}` })
})

test('a halt that an older version stored without facts and next steps has none', () => {
  const { facts: _, next: __, ...bare } = halt
  const item = { ...good, halt: { S: JSON.stringify(bare) } }
  assert.deepEqual(haltOf(fromItem('topic/0', item)), { ...halt, facts: {}, next: [] })
})

test('an item of an older version may lack ordinals and the anchors of lanes', () => {
  const { ordinal: _, ...older } = anchor
  const read = fromItem('topic/0', {
    ...good,
    anchor: { S: JSON.stringify({ ...older, offset: String(older.offset) }) },
    lanes: { S: JSON.stringify({ orders: { through: '7', trouble: null } }) },
  })
  assert.deepEqual(read.anchor, { ...anchor, ordinal: null })
  assert.deepEqual(read.lanes, { orders: { through: 7n, anchor: null, trouble: null } })
})

test('this version ignores members that a later version added under the same schemaVersion', () => {
  const more = (value: object) => ({ ...value, added: { by: ['a later version'] } })
  const text = (value: unknown) => ({
    S: JSON.stringify(value, (_key, member) => (typeof member === 'bigint' ? String(member) : member)),
  })
  const { tail, lanes, deadLetters } = position
  const read = fromItem('topic/0', {
    ...good,
    added: { S: 'an attribute' },
    anchor: text(more(anchor)),
    tail: text(more(tail ?? {})),
    lanes: text(
      Object.fromEntries(
        Object.entries(lanes).map(([name, lane]) => [
          name,
          more({
            ...lane,
            anchor: lane.anchor && more(lane.anchor),
            trouble: lane.trouble && more(lane.trouble),
          }),
        ]),
      ),
    ),
    deadLetters: text(more(deadLetters)),
    halt: text(more(halt)),
    ledger: text(ledger.map((entry) => more({ ...entry, to: more(entry.to) }))),
  })
  assert.deepEqual(read, fromItem('topic/0', good))
})

describe('the state of the stream', () => {
  const stateOf = (item: Attributes) => {
    const read = fromItem('topic/0', { ...good, ...item })
    return read.state === 'PAUSED' ? read.pause : read.state === 'HALTED' ? read.halt : read.state
  }

  test('a pause keeps who and why, and older versions read it as a halt with the code PAUSED', () => {
    const pause = { by: 'ann', reason: 'a migration', at: 5 }
    const item = stateAttributes({ state: 'PAUSED', pause })
    assert.deepEqual(stateOf(item), pause)
    assert.deepEqual(item.state, { S: 'HALTED' })
    assert.deepEqual(JSON.parse(item.halt?.S ?? ''), {
      code: 'PAUSED',
      message: 'Paused by ann: a migration.',
      facts: { by: 'ann', reason: 'a migration' },
      next: [{ action: 'resume', purpose: 'let the stream continue when you are ready' }],
      at: 5,
    })
  })

  test('a pause without a reason has none, and its message ends after the name', () => {
    const pause = { by: 'ann', reason: null, at: 5 }
    assert.deepEqual(stateOf(stateAttributes({ state: 'PAUSED', pause })), pause)
    assert.equal(haltOf({ state: 'PAUSED', pause })?.message, 'Paused by ann.')
  })

  test('a pause of an older version keeps its message', () => {
    const older = {
      code: 'PAUSED',
      message: 'Paused by ann: a migration.',
      facts: {},
      next: [],
      at: 5,
    } as const
    const read = fromItem('topic/0', { ...good, halt: encodeJson(older) })
    assert.equal(read.state, 'PAUSED')
    assert.equal(haltOf(read)?.message, older.message)
  })

  test('a running stream has no halt, and a state that a person set by hand may lack one', () => {
    assert.equal(stateOf(stateAttributes({ state: 'RUNNING' })), 'RUNNING')
    assert.equal(stateOf({ halt: encodeJson(null) }), null)
  })

  test('a lease that no run holds is the number 0 in the item, and a reset that repeats nothing is -1', () => {
    assert.deepEqual([encodeLeaseEnd(null), encodeReplay(null)], [{ N: '0' }, { N: '-1' }])
    const read = fromItem('topic/0', { ...good, leaseUntil: { N: '0' }, replayUntil: { N: '-1' } })
    assert.deepEqual([read.leaseUntil, read.replayUntil], [null, null])
    assert.deepEqual([encodeLeaseEnd(7), encodeReplay(0)], [{ N: '7' }, { N: '0' }])
  })
})

describe('an item that this version cannot read is refused with the name of the attribute', () => {
  const cases: [attribute: string, value: Attributes[string] | undefined, reason: string][] = [
    ['schemaVersion', { N: '2' }, 'a later version'],
    ['schemaVersion', undefined, 'no version'],
    ['offset', { S: '5' }, 'an offset as text'],
    ['offset', { N: '1E+3' }, 'an offset in exponent notation'],
    ['offset', { N: '-1' }, 'a negative offset'],
    ['offset', undefined, 'no offset'],
    ['state', { S: 'PAUSED' }, 'an unknown state'],
    ['anchor', { S: '{' }, 'text that is not JSON'],
    ['anchor', { S: '{"offset":"1"}' }, 'half an anchor'],
    [
      'anchor',
      { S: '{"offset":5,"timestamp":1,"sourcePosition":"","transactionId":"","digest":""}' },
      'an offset that JSON rounds',
    ],
    ['tail', undefined, 'no tail'],
    ['lanes', undefined, 'no lanes'],
    ['lanes', { S: '[]' }, 'lanes that are a list'],
    ['lanes', { S: '{"orders":"5"}' }, 'a lane that is an offset alone'],
    ['lanes', { S: '{"orders":{"through":"-1","trouble":null}}' }, 'a negative offset of a lane'],
    ['lanes', { S: '{"orders":{"through":5,"trouble":null}}' }, 'an offset of a lane that JSON rounds'],
    ['lanes', { S: '{"orders":{"through":null,"trouble":{"offset":"1"}}}' }, 'half a trouble'],
    ['deadLetters', undefined, 'no count of dead letters'],
    ['deadLetters', { S: '{"since":0}' }, 'half a count of dead letters'],
    ['halt', { S: '{"code":"DATA_GAP","message":"","facts":{"row":{}},"at":1}' }, 'a fact that is an object'],
    ['ledger', { S: '{}' }, 'a ledger that is not a list'],
    ['epoch', { S: '1' }, 'an epoch as text'],
    ['epoch', { N: '9007199254740993' }, 'an epoch that a number rounds'],
    ['generation', { N: '1.5' }, 'a generation that is not a whole number'],
    ['leaseUntil', { N: '1E+40' }, 'a lease that a number rounds'],
    ['clusterId', { N: '1' }, 'a cluster id that is a number'],
  ]
  for (const [attribute, value, reason] of cases) {
    test(`${attribute}: ${reason}`, () => {
      const { [attribute]: _, ...rest } = good
      const item: Attributes = value === undefined ? rest : { ...rest, [attribute]: value }
      assert.throws(() => fromItem('topic/0', item), {
        code: 'CHECKPOINT_INVALID',
        message: new RegExp(
          `item topic/0 cannot be read \\(${attribute}: .*deploy the version that wrote it`,
        ),
      })
    })
  }
})
