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

  test('halts the stream at the 21st change that is given up within five minutes', async () => {
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

  test('counts what earlier runs gave up', async () => {
    const deadLetters = { since: startedAt - 200_000, count: 19 }
    const { thrown, item } = await run({ given, environment: poison, invoke: () => failed, deadLetters })
    assert.deepEqual([codeOf(thrown), item?.offset], ['DEAD_LETTER_BREAKER', 2n])
  })

  test('forgets what is older than that', async () => {
    const deadLetters = { since: startedAt - 300_000, count: 20 }
    const { thrown, item } = await run({
      given: given.slice(0, 5),
      environment: poison,
      invoke: () => failed,
      deadLetters,
    })
    assert.deepEqual([thrown, item?.offset, item?.deadLetters.count], [undefined, 5n, 4])
  })

  test('does not count a change that the queue did not take', async () => {
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
  test('has to begin before the lease could end under it', async () => {
    let startBefore: number | null = null
    await run({
      invoke: () => async (name, batch, events) => {
        startBefore ??= batch.startBefore
        return await acknowledge(name, batch, events)
      },
    })
    // The lease of 31 s: the function's second, its start, the commit, and time to work. Less that second.
    assert.equal(startBefore, startedAt + 30_000)
  })

  test('whose answer comes after a newer invocation has begun changes nothing', async () => {
    const newer = new AbortController()
    const invoke: Invoke = async (...parameters) => {
      newer.abort()
      return await acknowledge(...parameters)
    }
    const { summary, item } = await run({ invoke: () => invoke, own: { signal: newer.signal } })
    assert.deepEqual([summary.ended, { ...summary.handled }, item?.offset], ['superseded', {}, 1n])
  })

  test('that fails after a newer one has begun gives nothing up', async () => {
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
