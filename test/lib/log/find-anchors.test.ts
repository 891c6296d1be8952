import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { encodeRecord, text } from '../../../infra/local/encode.ts'
import type { Anchor } from '../../../lib/checkpoint/types.ts'
import { anchorOf, identifyRouted } from '../../../lib/log/anchor.ts'
import { searchLog } from '../../../lib/log/find-anchors.ts'
import { open } from '../../support/open-stream.ts'
import type { NewRecord } from '../../support/parts.ts'
import { filler, t0, Writer } from '../../support/records.ts'

let ids = 1n

/** A row of a statement. Rows without a key and with the same words are equal. */
function row(statement: number, words: string, keyed = false, seconds = t0): NewRecord & { value: Buffer } {
  const value = encodeRecord({
    operation: 'INSERT',
    objectName: 'shop.log',
    id: ids++,
    sourceTimestamp: seconds,
    sourcePosition: `${statement}@1`,
    sourceTxid: 'transaction',
    fields: [['words', 253]],
    after: [text(words)],
    tags: keyed ? { pk_uk_info: '{"PRIMARY":["words"]}' } : {},
  })
  return { value, timestamp: seconds }
}

function anchor({ value }: { readonly value: Buffer }, ordinal: number | null): Anchor {
  return anchorOf({ offset: 1n << 60n, value }, ordinal)
}

const mark = (operation: 'BEGIN' | 'COMMIT' | 'HEARTBEAT', seconds = t0) =>
  new Writer().mark(operation, seconds)
const equal = row(2, 'equal')

async function find(t: TestContext, log: readonly NewRecord[], wanted: Anchor) {
  const { stream } = await open(t, log)
  const range = await stream.range()
  const everything = { main: wanted, lanes: [], since: 0 }
  const { found: all } = await searchLog(stream, range, everything, range.earliest, () => true)
  const found = all.get(wanted)
  return found === undefined ? null : [Number(found.anchor.offset), found.anchor.ordinal, found.exact]
}

describe('a search for a change of another log finds', () => {
  const run = ['equal', 'other', 'equal', 'equal'].map((words) => row(2, words))
  const whole = [row(1, 'before'), ...run, row(3, 'after')]
  const cases: [
    reason: string,
    log: readonly NewRecord[],
    wanted: Anchor,
    found: [offset: number, ordinal: number | null, exact: boolean] | null,
  ][] = [
    ['the first of equal rows', whole, anchor(equal, 0), [1, 0, true]],
    ['the second of equal rows', whole, anchor(equal, 2), [3, 2, true]],
    ['the third of equal rows', whole, anchor(equal, 3), [4, 3, true]],
    ['a row without a number: the first equal one, not exact', whole, anchor(equal, null), [1, 0, false]],
    ['a row without a number that is alone: that row', whole, anchor(row(2, 'other'), null), [2, 1, true]],
    [
      'a row whose number another row has: the first equal one, not exact',
      whole,
      anchor(equal, 1),
      [1, 0, false],
    ],
    [
      'a row whose number is after the statement: the first equal one, not exact',
      whole,
      anchor(equal, 9),
      [1, 0, false],
    ],
    ['nothing, if the only equal row comes too late', whole, anchor(row(2, 'other'), 0), null],
    [
      'the right row, if the log ends within the statement',
      whole.slice(0, 4),
      anchor(equal, 2),
      [3, 2, true],
    ],
    [
      'the right row after BEGIN, because a statement begins there',
      [mark('BEGIN'), ...run],
      anchor(equal, 2),
      [3, 2, true],
    ],
    [
      'the right row after COMMIT, because a statement begins there',
      [mark('COMMIT'), mark('HEARTBEAT'), ...run],
      anchor(equal, 2),
      [4, 2, true],
    ],
    [
      'the right row, without counting marks and filler',
      [whole[0] as NewRecord, run[0] as NewRecord, mark('HEARTBEAT'), ...filler(t0), ...run.slice(1)],
      anchor(equal, 2),
      [7, 2, true],
    ],
    ['nothing, if the log begins within the statement', run, anchor(equal, 2), null],
    [
      'nothing after a heartbeat, because a statement may span it',
      [mark('HEARTBEAT'), ...run],
      anchor(equal, 0),
      null,
    ],
    [
      'a row with a key, wherever the log begins',
      ['a', 'b', 'c'].map((words) => row(2, words, true)),
      anchor(row(2, 'b', true), 7),
      [1, null, true],
    ],
    [
      'nothing of another transaction',
      [row(1, 'before'), ...run],
      { ...anchor(equal, 0), transactionId: 'other' },
      null,
    ],
    [
      'nothing at another source position',
      [row(1, 'before'), ...run],
      { ...anchor(equal, 0), sourcePosition: '9@1' },
      null,
    ],
    ['nothing of another time', [row(1, 'before'), ...run], { ...anchor(equal, 0), timestamp: t0 + 1 }, null],
    [
      'nothing with another content',
      [row(1, 'before'), ...run],
      { ...anchor(equal, 0), digest: 'other' },
      null,
    ],
  ]
  for (const [reason, log, wanted, expected] of cases) {
    test(reason, async (t) => assert.deepEqual(await find(t, log, wanted), expected))
  }

  test('the change, whatever times the records before it have', async (t) => {
    const wanted = row(2, 'equal', true, t0)
    for (const away of [-7_200, -61, 61, 3_600, 86_400]) {
      const others = Array.from({ length: 300 }, (_, at) => row(100 + at, 'other', true, t0 + away))
      assert.deepEqual(await find(t, [...others, wanted], anchor(wanted, 0)), [300, 0, true], `${away}`)
    }
  })

  test('a change before the place where the search begins', async (t) => {
    const others = Array.from({ length: 20 }, (_, at) => row(100 + at, 'other', true, t0 + at))
    const wanted = row(2, 'equal', true, t0)
    const { stream } = await open(t, [...others, wanted, ...others])
    const range = await stream.range()
    const main = anchor(wanted, 0)
    for (const from of [0n, 20n, 21n, 41n]) {
      const { found } = await searchLog(stream, range, { main, lanes: [], since: 0 }, from, () => true)
      assert.equal(found.get(main)?.anchor.offset, 20n, `from ${from}`)
    }
  })

  test('nothing if its time is over: it fails, and does not say that the change is absent', async (t) => {
    const { stream } = await open(t, whole)
    const main = anchor(row(9, 'nowhere', true), 0)
    const range = await stream.range()
    for (const records of [0, 2, 4, 7]) {
      let left = records
      const search = searchLog(stream, range, { main, lanes: [], since: 0 }, 3n, () => left-- > 0)
      await assert.rejects(search, { code: 'SEARCH_UNFINISHED', retryable: true }, `${records} records`)
    }
  })

  test('several changes in one scan', async (t) => {
    const { stream } = await open(t, whole)
    const lane = (one: { readonly value: Buffer }, ordinal: number) =>
      anchorOf({ offset: 1n, value: one.value }, ordinal, identifyRouted)
    // The log has the last one, but without the key that decides its lane.
    const lanes = [
      lane(equal, 3),
      lane(row(9, 'nowhere'), 0),
      lane(row(3, 'after'), 0),
      lane(row(2, 'other', true), 1),
    ]
    const main = anchor(equal, 0)
    const range = { earliest: 0n, end: 6n }
    const { found } = await searchLog(stream, range, { main, lanes, since: 0 }, 0n, () => true)
    assert.deepEqual(
      [main, ...lanes].map((wanted) => found.get(wanted)?.anchor.offset),
      [1n, 4n, undefined, 5n, undefined],
    )
    const alone = await searchLog(stream, range, { main: null, lanes, since: 0 }, 0n, () => true)
    assert.equal(alone.found.size, 2)
  })
})
