import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeRecord, type PlainRecord } from '../../../infra/local/encode.ts'
import { isSameStatement } from '../../../lib/dts/statement.ts'

const plain: PlainRecord = {
  operation: 'INSERT',
  id: 7n,
  sourcePosition: '4@1',
  safeSourcePosition: '3@1',
  sourceTxid: 'a:1',
}
const long = 'p'.repeat(100)
const cases: [reason: string, left: Partial<PlainRecord>, right: Partial<PlainRecord>, same: boolean][] = [
  ['the same', {}, {}, true],
  ['another id, time and version', {}, { id: 1n << 60n, sourceTimestamp: 1, version: 1_000 }, true],
  ['another place to restart from', {}, { safeSourcePosition: long }, true],
  ['another operation and table', {}, { operation: 'DELETE', objectName: 'a.b' }, true],
  ['another position', {}, { sourcePosition: '5@1' }, false],
  ['another transaction', {}, { sourceTxid: 'a:2' }, false],
  ['a longer position that begins the same', {}, { sourcePosition: '4@10' }, false],
  ['a longer transaction id that begins the same', {}, { sourceTxid: 'a:10' }, false],
  [
    'what moves from one text into the next',
    { sourceTxid: '' },
    { sourcePosition: '4@', sourceTxid: '1' },
    false,
  ],
  [
    'long texts',
    { sourcePosition: long, sourceTxid: long },
    { sourcePosition: long, sourceTxid: long },
    true,
  ],
  ['long texts that differ at their end', { sourceTxid: `${long}1` }, { sourceTxid: `${long}2` }, false],
  ['no texts', { sourcePosition: '', sourceTxid: '' }, { sourcePosition: '', sourceTxid: '' }, true],
]
for (const [reason, left, right, same] of cases) {
  test(`${same ? 'one statement' : 'two statements'}: ${reason}`, () => {
    const [one, other] = [encodeRecord({ ...plain, ...left }), encodeRecord({ ...plain, ...right })]
    assert.equal(isSameStatement(one, other), same)
    assert.equal(isSameStatement(other, one), same)
  })
}
