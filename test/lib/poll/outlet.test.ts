import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Invoke } from '../../../lib/dispatch/invoke.ts'
import { DtsError } from '../../../lib/errors.ts'
import { Writer } from '../../support/records.ts'
import { acknowledge, codeOf, failed, failure, run, startedAt } from './support.ts'

const write = new Writer()
const poison = { ROUTES: '{"shop.orders":{"function":"orders","batchSize":1,"attempts":1}}' }

describe('the breaker of dead letters', () => {
  const given = write.inserts('shop.orders', 0, 29)

  test('halts the stream at the 21st dead letter within five minutes', async () => {
    const letters: bigint[] = []
    const putAside = async ({ offset }: { offset: bigint }) => void letters.push(offset)
    const { thrown, item } = await run({
      given,
      environment: poison,
      invoke: () => failed,
      own: { putAside },
    })
    assert.deepEqual([codeOf(thrown), letters.length], ['DEAD_LETTER_BREAKER', 20])
    assert.deepEqual([item?.state, item?.offset], ['HALTED', 21n])
  })

  test('counts the dead letters of earlier runs', async () => {
    const deadLetters = { since: startedAt - 200_000, count: 19 }
    const { thrown, item } = await run({ given, environment: poison, invoke: () => failed, deadLetters })
    assert.deepEqual([codeOf(thrown), item?.offset], ['DEAD_LETTER_BREAKER', 2n])
  })

  test('forgets dead letters that are older than five minutes', async () => {
    const deadLetters = { since: startedAt - 300_000, count: 20 }
    const { thrown, item } = await run({
      given: given.slice(0, 5),
      environment: poison,
      invoke: () => failed,
      deadLetters,
    })
    assert.deepEqual([thrown, item?.offset, item?.deadLetters.count], [undefined, 5n, 4])
  })

  test('does not count a change that the queue refused', async () => {
    let refusals = 3
    const putAside = async () => {
      if (refusals-- > 0) throw new DtsError('DEAD_LETTER_FAILED', 'no', { retryable: true })
    }
    const { thrown, item } = await run({
      given: given.slice(0, 2),
      environment: poison,
      invoke: () => failed,
      own: { putAside },
      deadLetters: { since: startedAt, count: 19 },
    })
    assert.deepEqual([thrown, item?.offset, item?.deadLetters.count], [undefined, 2n, 20])
  })
})

describe('an invocation', () => {
  test('must start early enough to end within the lease', async () => {
    let startBefore: number | null = null
    await run({
      invoke: () => async (name, batch, events) => {
        startBefore ??= batch.startBefore
        return await acknowledge(name, batch, events)
      },
    })
    // The lease lasts 31 s: one for the function, its cold start, the commit and the slack. The function must start one second before its end.
    assert.equal(startBefore, startedAt + 30_000)
  })

  test('changes nothing if its answer comes after a newer run has started', async () => {
    const newer = new AbortController()
    const invoke: Invoke = async (...parameters) => {
      newer.abort()
      return await acknowledge(...parameters)
    }
    const { summary, item } = await run({ invoke: () => invoke, own: { signal: newer.signal } })
    assert.deepEqual([summary.ended, { ...summary.handled }, item?.offset], ['superseded', {}, 1n])
  })

  test('sends nothing to the dead-letter queue if it fails after a newer run has started', async () => {
    const newer = new AbortController()
    const letters: bigint[] = []
    const { summary } = await run({
      environment: poison,
      invoke: () => async () => {
        newer.abort()
        return { kind: 'failed', error: failure('HANDLER_FAILED') }
      },
      own: { signal: newer.signal, putAside: async ({ offset }) => void letters.push(offset) },
    })
    assert.deepEqual([summary.ended, letters], ['superseded', []])
  })
})
