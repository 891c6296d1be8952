import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Handled } from '../../../../infra/local/observations.ts'
import type { LoggedChange } from '../../../../infra/local/page/describe-record.ts'
import { Fates, type Known } from '../../../../infra/local/page/fates.ts'
import { freshPosition } from '../../../../lib/checkpoint/types.ts'
import { checkpointOf } from '../../../support/streams.ts'

const change = (id: number, offset: bigint, table = 'shop.orders'): LoggedChange => ({
  id: String(id),
  offset,
  operation: 'INSERT',
  table,
  key: '',
  at: 0,
  columns: [],
  text: null,
})

const handled = (id: number, offset: number, generation = 1): Handled => ({
  kind: 'handled',
  worker: 1,
  function: 'orders',
  table: 'shop.orders',
  operation: 'INSERT',
  key: '',
  id: String(id),
  offset: String(offset),
  generation,
  replay: false,
})

const checkpoint = checkpointOf({ ...freshPosition(20n, 0), clusterId: 'c1' })

const known: Known = {
  checkpoint,
  clusterId: 'c1',
  troubles: [],
  letters: [],
  isHandled: (table) => table === 'shop.orders',
}

describe('what became of a change', () => {
  test('a delivered one has its offset, its generation, its time, and how often it was delivered', () => {
    const fates = new Fates()
    fates.observe([handled(7, 12)], 1_000)
    fates.observe([handled(7, 12)], 2_000)
    const delivered = { kind: 'delivered', offset: '12', generation: 1, at: 2_000, times: 2 }
    assert.deepEqual(fates.of(change(7, 12n), known), delivered)
    // In another log it is the same change.
    assert.deepEqual(fates.of(change(7, 512n), { ...known, clusterId: 'c2' }), delivered)
  })

  test('another change with the same id is not called delivered', () => {
    const fates = new Fates()
    fates.observe([handled(7, 12)], 1_000)
    assert.deepEqual(fates.of(change(7, 25n), known), { kind: 'waiting' })
  })

  const cases: [change: LoggedChange, known: Partial<Known>, kind: string, reason: string][] = [
    [change(1, 20n), {}, 'waiting', 'the checkpoint is not past it'],
    [change(1, 19n), {}, 'passed', 'the checkpoint is past it without a delivery'],
    [change(1, 19n), { clusterId: 'c2' }, 'waiting', 'the checkpoint means nothing in this log'],
    [change(1, 19n), { checkpoint: null }, 'waiting', 'nothing was read yet'],
    [change(1, 19n, 'shop.payments'), {}, 'unhandled', 'no file handles its table'],
  ]
  for (const [given, facts, kind, reason] of cases) {
    test(`${kind}: ${reason}`, () => {
      assert.equal(new Fates().of(given, { ...known, ...facts }).kind, kind)
    })
  }

  test('a dead one waits in the queue, with the reason, but only in its log and generation', () => {
    const letter = { table: 'shop.orders', offset: 12n, generation: 1, reason: 'HANDLER_FAILED: no' }
    const facts = { ...known, letters: [letter] }
    assert.deepEqual(new Fates().of(change(1, 12n), facts), { kind: 'dead', reason: 'HANDLER_FAILED: no' })
    assert.equal(new Fates().of(change(1, 13n), facts).kind, 'passed')
    assert.equal(new Fates().of(change(1, 12n), { ...facts, clusterId: 'c2' }).kind, 'waiting')
  })

  test('a failing one has the reason, but only in the log and the generation that it failed in', () => {
    const trouble = {
      functionName: 'orders',
      what: '',
      reason: 'TypeError: no',
      place: null,
      attempts: 1,
      offset: 21n,
      generation: 1,
    }
    const facts = { ...known, troubles: [trouble] }
    assert.deepEqual(new Fates().of(change(1, 21n), facts), { kind: 'failing', reason: 'TypeError: no' })
    assert.equal(new Fates().of(change(1, 21n), { ...facts, clusterId: 'c2' }).kind, 'waiting')
    const later = { ...checkpoint, generation: 2 }
    assert.equal(new Fates().of(change(1, 21n), { ...facts, checkpoint: later }).kind, 'waiting')
  })
})
