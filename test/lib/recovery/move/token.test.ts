import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startOfTimes } from '../../../../lib/checkpoint/source-times.ts'
import { type Anchor, type Checkpoint, freshPosition } from '../../../../lib/checkpoint/types.ts'
import type { RecordsAround } from '../../../../lib/log/survey-place.ts'
import type { How, Move } from '../../../../lib/recovery/move/decide.ts'
import { makeToken, readToken, requireUnchanged } from '../../../../lib/recovery/move/token.ts'
import { checkpointOf } from '../../../support/streams.ts'

const read = checkpointOf({ ...freshPosition(150n, 1049), clusterId: 'c' })
const anchor: Anchor = {
  offset: 119n,
  timestamp: 1019,
  sourcePosition: 'p',
  transactionId: 't',
  ordinal: null,
  digest: 'd',
}
const tail = { offset: 119n, digest: 'the record below' }
const lanes = { 'test-orders': { through: 130n, anchor, trouble: null } }
const position = freshPosition(120n, 1019, anchor, tail, lanes, startOfTimes(1019, 1060))

const moves: [what: string, move: Move][] = [
  [
    'with everything',
    {
      kind: 'move',
      how: 'time',
      source: 'restored',
      position,
      replayUntil: 1060,
      repeats: { counts: { 'shop.orders': 7 }, countedTo: 9_007_199_254_740_993n },
      lost: { from: 1000, to: 1049 },
    },
  ],
  [
    'with nothing more than a place',
    {
      kind: 'move',
      how: 'earliest',
      source: 'checkpoint',
      position: freshPosition(100n, 1000),
      replayUntil: null,
      repeats: { counts: {}, countedTo: null },
      lost: null,
    },
  ],
]
const made = { read, clusterId: 'c', next: 'the record at the place', acceptLoss: false }

describe('a token', () => {
  for (const [what, move] of moves) {
    test(`brings the move of its dry run back: ${what}`, () => {
      for (const acceptLoss of [true, false]) {
        const planned = readToken(makeToken(move, { ...made, acceptLoss }), read)
        const { counts, countedTo } = planned.move.repeats
        assert.deepEqual(
          { ...planned.move, repeats: { counts: { ...counts }, countedTo } },
          { ...move, position: { ...move.position } },
        )
        assert.deepEqual(
          [planned.acceptLoss, planned.clusterId, planned.next],
          [acceptLoss, 'c', 'the record at the place'],
        )
      }
    })
  }

  const [[, move]] = moves as [[string, Move]]

  test('knows every way to find a place, and every source of progress', () => {
    const hows: Readonly<Record<How, null>> = {
      stored: null,
      anchor: null,
      time: null,
      gap: null,
      timestamp: null,
      offset: null,
      earliest: null,
      latest: null,
      committed: null,
      ledger: null,
    }
    const sources: Readonly<Record<Move['source'], null>> = {
      checkpoint: null,
      group: null,
      restored: null,
      nothing: null,
      unasked: null,
      other: null,
    }
    for (const how of Object.keys(hows) as How[])
      assert.equal(readToken(makeToken({ ...move, how }, made), read).move.how, how)
    for (const source of Object.keys(sources) as Move['source'][])
      assert.equal(readToken(makeToken({ ...move, source }, made), read).move.source, source)
  })

  const changes: [what: string, now: Checkpoint | null][] = [
    ['a commit', { ...read, offset: 151n }],
    ['another run', { ...read, epoch: 2 }],
    ['a pause', { ...read, state: 'PAUSED', pause: { by: 'me', reason: null, at: 1 } }],
    ['a move', { ...read, generation: 2 }],
    ['a deleted item', null],
  ]
  for (const [what, now] of changes) {
    test(`is refused after ${what}`, () => {
      assert.throws(() => readToken(makeToken(move, made), now), {
        code: 'PLAN_OUTDATED',
        retryable: false,
        message: /^The checkpoint moved since the dry run\. Nothing was done\. Run the dry run again/,
      })
    })
  }

  test('holds while only the lease changes, and for a stream without a checkpoint', () => {
    const leased = { ...read, owner: 'someone', leaseUntil: 5_000 }
    assert.equal(readToken(makeToken(move, made), leased).next, 'the record at the place')
    assert.equal(readToken(makeToken(move, { ...made, read: null, next: null }), null).next, null)
    assert.throws(() => readToken(makeToken(move, { ...made, read: null }), read), { code: 'PLAN_OUTDATED' })
  })

  const plain = JSON.parse(Buffer.from(makeToken(move, made), 'base64url').toString()) as Record<
    string,
    unknown
  >
  const others: [what: string, text: string][] = [
    ['nothing', ''],
    ['a text', 'nonsense'],
    ['another object', '{}'],
    ['an unknown way to find a place', JSON.stringify({ ...plain, how: 'guess' })],
    ['an unknown source', JSON.stringify({ ...plain, source: 'guess' })],
    ['a member more', JSON.stringify({ ...plain, more: 1 })],
    ['a count up to no offset', JSON.stringify({ ...plain, countedTo: '1x' })],
    ['a count up to an offset after a word', JSON.stringify({ ...plain, countedTo: 'x1' })],
    ['a loss without an end', JSON.stringify({ ...plain, lost: { from: 1 } })],
  ]
  for (const [what, text] of others) {
    test(`that a person wrote is refused: ${what}`, () => {
      const token = Buffer.from(text).toString('base64url')
      assert.throws(() => readToken(token, read), {
        code: 'PLAN_OUTDATED',
        retryable: false,
        message:
          /^The token is not from a dry run of this version\. Nothing was done\. Run the dry run again\.$/,
      })
    })
  }
})

describe('a token is applied only if the log is as its dry run found it', () => {
  const [[, move]] = moves as [[string, Move]]
  const planned = { move, acceptLoss: false, clusterId: 'c', next: 'the record at the place' }
  const here: RecordsAround = {
    clusterId: 'c',
    range: { earliest: 100n, end: 200n },
    below: 'the record below',
    next: 'the record at the place',
  }
  const cases: [what: string, change: Partial<RecordsAround>, message: RegExp | null][] = [
    ['the same log', {}, null],
    ['a log that begins at the place', { range: { earliest: 120n, end: 200n } }, null],
    ['a log that begins after the place', { range: { earliest: 121n, end: 200n } }, /^The log changed since/],
    ['a log that ends before the place', { range: { earliest: 0n, end: 119n } }, /^The log changed since/],
    ['a log that ends at the place', { range: { earliest: 0n, end: 120n } }, null],
    ['another cluster', { clusterId: 'd' }, /^The log changed since/],
    ['another record below the place', { below: 'x' }, /^The record below the place changed since/],
    ['no record below the place', { below: null }, /^The record below the place changed since/],
    ['another record at the place', { next: 'x' }, /^The record at the place changed since/],
  ]
  for (const [what, change, message] of cases) {
    test(`${what}: ${message === null ? 'applied' : 'refused'}`, () => {
      const compare = () => requireUnchanged(planned, { ...here, ...change })
      if (message === null) compare()
      else assert.throws(compare, { code: 'PLAN_OUTDATED', message })
    })
  }

  test('what the dry run did not see may have come since', () => {
    requireUnchanged({ ...planned, next: null }, here)
    const first = { ...move, position: freshPosition(120n, 1019) }
    requireUnchanged({ ...planned, move: first }, { ...here, below: 'any' })
  })
})
