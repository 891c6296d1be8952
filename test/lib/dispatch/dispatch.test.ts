import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { dispatch } from '../../../lib/dispatch/dispatch.ts'
import type { Invoke, InvokeResult } from '../../../lib/dispatch/invoke.ts'
import type { RoutedEvent } from '../../../lib/dispatch/plan.ts'
import { type Batch, batchSchema, maxBatchBytes, maxBatchRecords } from '../../../lib/dispatch/wire.ts'
import { DtsError } from '../../../lib/errors.ts'

const origin = { topic: 't', partition: 0, clusterId: 'c', generation: 3, replayUntil: 99 }
/** What one invocation of Lambda may carry, in bytes. */
const lambdaLimit = 6 * 1024 * 1024

const events = (count: number, bytes = 10): RoutedEvent[] =>
  Array.from({ length: count }, (_, i) => ({
    offset: BigInt(i),
    table: 'shop.orders',
    value: Buffer.alloc(bytes),
  }))

const done = (batch: Batch, through = batch.records.at(-1)?.offset ?? null): InvokeResult => ({
  kind: 'acknowledged',
  acknowledgement: { batchId: batch.batchId, acknowledgedThrough: through },
})

function recording(answer: (batch: Batch, name: string) => InvokeResult = (batch) => done(batch)) {
  const batches: Batch[] = []
  const invoke: Invoke = async (name, batch) => {
    batches.push(batch)
    return answer(batch, name)
  }
  return { batches, invoke }
}

const always = () => true

describe('dispatch', () => {
  test('a long queue goes out in order, in batches that an invocation can carry', async () => {
    const cases: [count: number, bytes: number][] = [
      [maxBatchRecords * 2 + 1, 10],
      [7, 1_500_000],
      [3, maxBatchBytes - 48],
    ]
    for (const [count, bytes] of cases) {
      const { batches, invoke } = recording()
      const outcomes = await dispatch(new Map([['orders', events(count, bytes)]]), origin, invoke, always)
      assert.deepEqual(outcomes.get('orders'), { done: count, failure: null, unknown: false })
      const sent = batches.flatMap(({ records }) => records.map(({ offset }) => Number(offset)))
      assert.deepEqual(sent, [...Array(count).keys()])
      assert.ok(batches.length > 1)
      for (const batch of batches) {
        assert.ok(Buffer.byteLength(JSON.stringify(batch)) <= lambdaLimit)
        assert.ok(batch.records.length <= maxBatchRecords)
        assert.deepEqual(batchSchema.parse(batch), batch)
        assert.deepEqual([batch.generation, batch.replayUntil, batch.clusterId], [3, 99, 'c'])
      }
      assert.equal(new Set(batches.map(({ batchId }) => batchId)).size, batches.length)
    }
  })

  test('an event that no invocation can carry stops its queue there, and says how to go on', async () => {
    const { batches, invoke } = recording()
    const queue = [...events(2), { offset: 2n, table: 'shop.orders', value: Buffer.alloc(maxBatchBytes) }]
    const outcome = (await dispatch(new Map([['orders', queue]]), origin, invoke, always)).get('orders')
    assert.equal(batches.length, 1)
    assert.deepEqual([outcome?.done, outcome?.failure?.code], [2, 'EVENT_TOO_LARGE'])
    assert.match(outcome?.failure?.message ?? '', /"offset":"3"/)
  })

  test('what is left of a batch whose time ran short is sent again', async () => {
    const { batches, invoke } = recording((batch) => done(batch, batch.records[1]?.offset))
    const outcomes = await dispatch(new Map([['orders', events(6)]]), origin, invoke, always)
    assert.deepEqual(outcomes.get('orders'), { done: 6, failure: null, unknown: false })
    assert.deepEqual(
      batches.map(({ records }) => records.length),
      [6, 4, 2],
    )
  })

  test('one function that fails stops its own queue only', async () => {
    const error = new DtsError('HANDLER_FAILED', 'no', { retryable: true })
    const { invoke } = recording((batch, name) =>
      name === 'bad' ? { kind: 'failed', error } : name === 'lost' ? { kind: 'unknown', error } : done(batch),
    )
    const queues = new Map(['bad', 'good', 'lost'].map((name) => [name, events(3)] as const))
    const outcomes = await dispatch(queues, origin, invoke, always)
    assert.deepEqual(outcomes.get('bad'), { done: 0, failure: error, unknown: false })
    assert.deepEqual(outcomes.get('good'), { done: 3, failure: null, unknown: false })
    assert.deepEqual(outcomes.get('lost'), { done: 0, failure: error, unknown: true })
  })

  test('a failure in the middle counts what comes before it', async () => {
    const failure = { offset: '2', code: 'ROW_INVALID', message: 'status is missing' }
    const { batches, invoke } = recording((batch) => ({
      kind: 'acknowledged',
      acknowledgement: { batchId: batch.batchId, acknowledgedThrough: '1', failure },
    }))
    const outcome = (await dispatch(new Map([['orders', events(5)]]), origin, invoke, always)).get('orders')
    assert.equal(batches.length, 1)
    assert.equal(outcome?.done, 2)
    assert.match(outcome?.failure?.message ?? '', /orders .*offset 2 .*ROW_INVALID: status is missing/)
  })

  test('no invocation starts that may not', async () => {
    const { batches, invoke } = recording((batch) => done(batch, batch.records[0]?.offset))
    let left = 2
    const outcomes = await dispatch(new Map([['orders', events(5)]]), origin, invoke, () => left-- > 0)
    assert.equal(batches.length, 2)
    assert.deepEqual(outcomes.get('orders'), { done: 2, failure: null, unknown: false })
  })
})
