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

/** A row of a statement. Without a key, rows with the same words are equal. */
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

describe('a change of another log is found in this one', () => {
  const run = ['equal', 'other', 'equal', 'equal'].map((words) => row(2, words))
  const whole = [row(1, 'before'), ...run, row(3, 'behind')]
  const cases: [
    reason: string,
    log: readonly NewRecord[],
    wanted: Anchor,
    found: [offset: number, ordinal: number | null, exact: boolean] | null,
  ][] = [
    ['the first of equal rows', whole, anchor(equal, 0), [1, 0, true]],
    ['the second', whole, anchor(equal, 2), [3, 2, true]],
    ['the third', whole, anchor(equal, 3), [4, 3, true]],
    ['one that was not counted: the first, and it may be another', whole, anchor(equal, null), [1, 0, false]],
    ['one that was not counted and is alone', whole, anchor(row(2, 'other'), null), [2, 1, true]],
    [
      'one whose number another row has: the first, and it may be another',
      whole,
      anchor(equal, 1),
      [1, 0, false],
    ],
    [
      'one whose number lies behind the statement: the first, and it may be another',
      whole,
      anchor(equal, 9),
      [1, 0, false],
    ],
    [
      'an equal row behind where it should stand is not taken for it',
      whole,
      anchor(row(2, 'other'), 0),
      null,
    ],
    ['the end of the log in the statement', whole.slice(0, 4), anchor(equal, 2), [3, 2, true]],
    ['after BEGIN a statement begins', [mark('BEGIN'), ...run], anchor(equal, 2), [3, 2, true]],
    ['after COMMIT, too', [mark('COMMIT'), mark('HEARTBEAT'), ...run], anchor(equal, 2), [4, 2, true]],
    [
      'marks and filler within the statement do not count',
      [whole[0] as NewRecord, run[0] as NewRecord, mark('HEARTBEAT'), ...filler(t0), ...run.slice(1)],
      anchor(equal, 2),
      [7, 2, true],
    ],
    ['a log that begins within the statement may lack it', run, anchor(equal, 2), null],
    ['a heartbeat is no beginning', [mark('HEARTBEAT'), ...run], anchor(equal, 0), null],
    [
      'a row with a key is the only one, wherever the log begins',
      ['a', 'b', 'c'].map((words) => row(2, words, true)),
      anchor(row(2, 'b', true), 7),
      [1, null, true],
    ],
    [
      'another transaction',
      [row(1, 'before'), ...run],
      { ...anchor(equal, 0), transactionId: 'other' },
      null,
    ],
    ['another position', [row(1, 'before'), ...run], { ...anchor(equal, 0), sourcePosition: '9@1' }, null],
    ['another time', [row(1, 'before'), ...run], { ...anchor(equal, 0), timestamp: t0 + 1 }, null],
    ['another content', [row(1, 'before'), ...run], { ...anchor(equal, 0), digest: 'other' }, null],
  ]
  for (const [reason, log, wanted, expected] of cases) {
    test(reason, async (t) => assert.deepEqual(await find(t, log, wanted), expected))
  }

  test('whatever times the records before it have', async (t) => {
    const wanted = row(2, 'equal', true, t0)
    for (const away of [-7_200, -61, 61, 3_600, 86_400]) {
      const others = Array.from({ length: 300 }, (_, at) => row(100 + at, 'other', true, t0 + away))
      assert.deepEqual(await find(t, [...others, wanted], anchor(wanted, 0)), [300, 0, true], `${away}`)
    }
  })

  test('before the place where the search begins, too: it ends nowhere but with the log', async (t) => {
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

  test('a search that runs out of time says so, and never that the change is absent', async (t) => {
    const { stream } = await open(t, whole)
    const main = anchor(row(9, 'nowhere', true), 0)
    const range = await stream.range()
    for (const records of [0, 2, 4, 7]) {
      let left = records
      const search = searchLog(stream, range, { main, lanes: [], since: 0 }, 3n, () => left-- > 0)
      await assert.rejects(search, { code: 'SEARCH_UNFINISHED', retryable: true }, `${records} records`)
    }
  })

  test('several in one scan, each by itself', async (t) => {
    const { stream } = await open(t, whole)
    const lane = (one: { readonly value: Buffer }, ordinal: number) =>
      anchorOf({ offset: 1n, value: one.value }, ordinal, identifyRouted)
    // The last is in the log, but the key that tells its lane is not named there.
    const lanes = [
      lane(equal, 3),
      lane(row(9, 'nowhere'), 0),
      lane(row(3, 'behind'), 0),
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
