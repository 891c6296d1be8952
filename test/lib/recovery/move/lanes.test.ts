import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startOfTimes } from '../../../../lib/checkpoint/source-times.ts'
import {
  type Anchor,
  type Checkpoint,
  freshPosition,
  type StoredLane,
} from '../../../../lib/checkpoint/types.ts'
import { DtsError } from '../../../../lib/errors.ts'
import type { Comparison } from '../../../../lib/log/compare.ts'
import { forgottenLanes, keptLanes } from '../../../../lib/recovery/move/lanes.ts'
import { checkpointOf } from '../../../support/streams.ts'

const anchor: Anchor = {
  offset: 160n,
  timestamp: 1060,
  sourcePosition: 'p',
  transactionId: 't',
  ordinal: 0,
  digest: 'd',
}
const trouble = { offset: 150n, attempts: 1, since: 0, nextAt: 0, limit: null }
const lane = (change: Partial<StoredLane> = {}): StoredLane => ({ through: 160n, anchor, trouble, ...change })

function checkpoint(
  lanes: Readonly<Record<string, StoredLane>>,
  change: Partial<Checkpoint> = {},
): Checkpoint {
  const times = startOfTimes(1049, 1065)
  const read = checkpointOf({ ...freshPosition(150n, 1049, null, null, lanes, times), clusterId: 'c' })
  return { ...read, ...change } as Checkpoint
}

/** The log has the lane's last change at this offset. */
const found = (offset: bigint, exact = true): Comparison => {
  const here = { anchor: { ...anchor, offset }, exact, unfinished: false }
  return { kind: 'anchor', main: here, lanes: new Map([[anchor, here]]) }
}
const nowhere: Comparison = {
  kind: 'no-anchor',
  since: null,
  hasTime: false,
  first: null,
  last: null,
  lanes: new Map(),
}
const kept = (offset: bigint) => ({ a: { through: offset, anchor: { ...anchor, offset }, trouble: null } })

describe('the lanes that stay ahead after a move without loss', () => {
  test('are all of them in the same log, without their failures', () => {
    const lanes = { a: lane(), b: lane({ through: null, anchor: null }) }
    const { lanes: left, forgottenUntil } = keptLanes(checkpoint(lanes), { kind: 'same-log' }, 150n)
    assert.deepEqual([left.a, forgottenUntil], [{ ...lane(), trouble: null }, -1])
  })

  const cases: [what: string, lanes: Record<string, StoredLane>, comparison: Comparison, expected: object][] =
    [
      [
        'the last change is after the place',
        { a: lane() },
        found(170n),
        { lanes: kept(170n), forgottenUntil: -1 },
      ],
      [
        'the last change is at the place',
        { a: lane() },
        found(150n),
        { lanes: kept(150n), forgottenUntil: -1 },
      ],
      ['the last change is before the place', { a: lane() }, found(149n), { lanes: {}, forgottenUntil: -1 }],
      [
        'the last change is one of several equal ones',
        { a: lane() },
        found(170n, false),
        { lanes: kept(170n), forgottenUntil: 1070 },
      ],
      ['the log does not have the last change', { a: lane() }, nowhere, { lanes: {}, forgottenUntil: 1070 }],
      [
        'the last change is older than others that were read',
        { a: lane({ anchor: { ...anchor, timestamp: 1050 } }) },
        nowhere,
        { lanes: {}, forgottenUntil: 1065 },
      ],
      [
        'the last change is unknown',
        { a: lane({ anchor: null }) },
        nowhere,
        { lanes: {}, forgottenUntil: null },
      ],
      [
        'one of two last changes is unknown',
        { a: lane({ anchor: null }), b: lane() },
        nowhere,
        { lanes: {}, forgottenUntil: null },
      ],
      [
        'the other of two last changes is unknown',
        { b: lane(), a: lane({ anchor: null }) },
        nowhere,
        { lanes: {}, forgottenUntil: null },
      ],
      [
        'the lane is not ahead',
        { a: lane({ through: null, anchor: null }) },
        nowhere,
        { lanes: {}, forgottenUntil: -1 },
      ],
      ['the log is empty', { a: lane() }, { kind: 'empty' }, { lanes: {}, forgottenUntil: 1070 }],
      [
        'the log cannot be read',
        { a: lane() },
        { kind: 'unreadable', fault: new DtsError('BATCH_CORRUPT', 'no', { retryable: true }) },
        { lanes: {}, forgottenUntil: 1070 },
      ],
    ]
  for (const [what, lanes, comparison, expected] of cases) {
    test(`are those whose last change lies ahead in the log: ${what}`, () => {
      assert.deepEqual(keptLanes(checkpoint(lanes), comparison, 150n), expected)
    })
  }

  test('may have delivered anything since a backup that was restored', () => {
    const halt = { code: 'CHECKPOINT_RESTORED', message: '', facts: {}, next: [], at: 0 } as const
    const restored = checkpoint({ a: lane() }, { state: 'HALTED', halt })
    assert.deepEqual(keptLanes(restored, found(170n), 150n), { lanes: kept(170n), forgottenUntil: null })
    const other = checkpoint({ a: lane() }, { state: 'HALTED', halt: { ...halt, code: 'LOG_CHANGED' } })
    assert.equal(keptLanes(other, found(170n), 150n).forgottenUntil, -1)
  })
})

test('no lane stays ahead at a place that a person names', () => {
  const read = checkpoint({ a: lane() })
  assert.deepEqual(forgottenLanes(read, 'checkpoint'), { lanes: {}, forgottenUntil: 1070 })
  assert.deepEqual(forgottenLanes(null, 'nothing'), { lanes: {}, forgottenUntil: -1 })
  for (const source of ['group', 'restored', 'unasked', 'other'] as const)
    assert.deepEqual(forgottenLanes(source === 'restored' ? read : null, source), {
      lanes: {},
      forgottenUntil: null,
    })
})
