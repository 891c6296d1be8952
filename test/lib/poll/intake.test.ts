import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordsOf } from '../../../lib/dispatch/batch-format.ts'
import { pseudonym } from '../../../lib/dispatch/mask.ts'
import { DtsError } from '../../../lib/errors.ts'
import type { Stream } from '../../../lib/kafka/stream.ts'
import { t0, Writer } from '../../support/records.ts'
import { acknowledge, codeOf, failure, held, run, slice } from './support.ts'

const write = new Writer()
const noRecord = { value: Buffer.from('this is no record'), timestamp: t0 }

describe('a record that cannot be read', () => {
  const given = [...write.inserts('shop.orders', 0, 2), noRecord, ...write.inserts('shop.orders', 4, 5)]

  test('becomes a dead letter before any later record is sent, and the run continues', async () => {
    const letters: bigint[] = []
    const { summary, sent } = await run({
      given,
      own: { putAside: async ({ offset }) => void letters.push(offset) },
    })
    assert.deepEqual([summary.ended, summary.to, letters], ['end-of-stream', '6', [3n]])
    assert.deepEqual(sent.flat(), [1n, 2n, 4n, 5n])
    assert.deepEqual({ ...summary.deadLettered }, { '': 1 })
  })

  const refusals = [
    [
      'for a while: the next run tries again',
      new DtsError('DEAD_LETTER_FAILED', 'no', { retryable: true }),
      'RUNNING',
    ],
    [
      'permanently: the stream halts before it',
      new DtsError('DEAD_LETTER_FAILED', 'no', { retryable: false }),
      'HALTED',
    ],
    ['by an unexpected error: the run rethrows it', new TypeError('unexpected'), 'RUNNING'],
  ] as const
  for (const [how, fault, state] of refusals) {
    test(`that the dead-letter queue refuses ${how}`, async () => {
      const putAside = async () => {
        throw fault
      }
      const { thrown, sent, item } = await run({ given, own: { putAside } })
      assert.equal(codeOf(thrown) ?? thrown, codeOf(fault) ?? fault)
      assert.equal(item?.state, state)
      // Its table is unknown, so no later record may be sent.
      assert.ok(
        sent.flat().every((offset) => offset < 3n),
        String(sent),
      )
      if (state === 'HALTED') assert.equal(item?.offset, 3n)
      else assert.ok((item?.offset ?? 9n) <= 3n)
    })
  }
})

describe('a mask', () => {
  const canary = 'never asked for'
  const routes = {
    'shop.orders': { function: 'orders', attempts: 1, mask: { unread: 'drop', status: 'hash' } },
  }
  const environment = { ROUTES: JSON.stringify(routes), MASK_KEY: 'a key of this test' }
  const given = [...write.inserts('shop.orders', 0, 2), write.update('shop.orders', 1, t0 + 3)]

  test('hides values in batches and in dead letters alike', async () => {
    const seen: Buffer[] = []
    const letters: Buffer[] = []
    const { summary } = await run({
      given,
      environment,
      invoke: () => async (_name, batch, events) => {
        seen.push(...recordsOf(batch).map(({ value }) => value))
        const error = failure('HANDLER_FAILED')
        return events.length > 1
          ? acknowledge('orders', batch, events.slice(0, -1))
          : { kind: 'failed', error }
      },
      own: {
        maskKey: async () => 'a key of this test',
        putAside: async ({ value }) => void letters.push(value),
      },
    })
    assert.deepEqual([summary.to, letters.length], ['4', 1])
    for (const value of [...seen, ...letters]) {
      assert.ok(value.includes(pseudonym('new', 'a key of this test')))
      assert.ok(!value.includes(canary) && !value.includes('paid'))
    }
  })

  test('without its key ends the run before anything is sent, and the stream does not halt', async () => {
    const maskKey = () => Promise.reject(new DtsError('SECRET_UNAVAILABLE', 'no', { retryable: true }))
    const { thrown, sent, item } = await run({ given, environment, own: { maskKey } })
    assert.deepEqual([codeOf(thrown), sent, item?.state], ['SECRET_UNAVAILABLE', [], 'RUNNING'])
  })

  test('halts the stream at a record without a readable table, which is not stored', async () => {
    const letters: bigint[] = []
    const { thrown, sent, item } = await run({
      given: [...given, noRecord],
      environment,
      own: {
        maskKey: async () => 'a key of this test',
        putAside: async ({ offset }) => void letters.push(offset),
      },
    })
    assert.deepEqual([codeOf(thrown), item?.state, item?.offset], ['MASK_FAILED', 'HALTED', 4n])
    assert.deepEqual([sent.flat(), letters], [[1n, 2n, 3n], []])
  })
})

describe('reading', () => {
  test('counts the changes that a rule leaves out, by table', async () => {
    const given = [...write.inserts('shop.orders', 0, 1), ...write.inserts('shop.nobody', 2, 4)]
    const { summary } = await run({ given })
    assert.deepEqual([summary.to, { ...summary.skipped }], ['5', { 'shop.nobody': 3 }])
  })

  test('passes changes that a filter leaves out, without an invocation and without a count as handled or skipped', async () => {
    const given = [
      ...write.inserts('shop.orders', 0, 3),
      write.update('shop.orders', 1, t0 + 4),
      ...write.inserts('shop.orders', 5, 6),
    ]
    const routes = { 'shop.orders': { function: 'orders', filter: { where: "status = 'paid'" } } }
    const { summary, sent } = await run({ given, environment: { ROUTES: JSON.stringify(routes) } })
    assert.deepEqual(sent, [[4n]])
    assert.deepEqual(
      [summary.to, { ...summary.handled }, { ...summary.filtered }, { ...summary.skipped }],
      ['7', { 'shop.orders': 1 }, { 'shop.orders': 5 }, {}],
    )
  })

  test('rethrows an unexpected error of a fetch, and releases the lease', async () => {
    const fault = new TypeError('unexpected')
    const fetch: Stream['fetch'] = async () => {
      throw fault
    }
    const { thrown, item } = await run({ stream: { range: async () => ({ earliest: 1n, end: 10n }), fetch } })
    assert.deepEqual([thrown, item?.state, item?.leaseUntil], [fault, 'RUNNING', null])
  })

  test('asks twice for the records of an open transaction, then leaves them to the next run', async () => {
    const given = write.inserts('shop.orders', 0, 9)
    let empty = 0
    const fetch: Stream['fetch'] = async (from) => {
      if (from < 5n) return slice(given, from, 5n)
      empty += 1
      return slice(given, 5n, 5n)
    }
    const { summary, tookMs } = await run({ given, stream: { fetch } })
    assert.deepEqual([summary.ended, summary.to, summary.lagRecords], ['end-of-stream', '5', '5'])
    assert.ok(empty >= 2 && tookMs < 10_000, `${empty} answers, ${tookMs} ms`)
  })

  test('does not mistake two waits with records between them for an open transaction', async () => {
    const given = write.inserts('shop.orders', 0, 9)
    const waits = new Set<bigint>()
    const fetch: Stream['fetch'] = async (from) => {
      const isFirst = from > 1n && !waits.has(from)
      waits.add(from)
      return slice(given, from, isFirst || from === 10n ? from : from + 1n)
    }
    const { summary } = await run({ given, stream: { fetch } })
    assert.deepEqual([summary.ended, summary.to], ['end-of-stream', '10'])
  })

  test('pauses while 4 MB wait for a function', async () => {
    const [order] = write.inserts('shop.orders', 0, 0)
    const value = Buffer.alloc(1024 * 1024)
    order?.value?.copy(value)
    const given = Array.from({ length: 30 }, () => ({ value, timestamp: t0 }))
    const { summary } = await run({
      given,
      stream: { fetch: async (from) => slice(given, from, from + 1n) },
      invoke: () => held,
    })
    assert.ok(summary.fetched >= 4 && summary.fetched <= 6, `${summary.fetched} MB fetched`)
  })

  test('ignores an answer that comes after a newer invocation has started', async () => {
    const newer = new AbortController()
    const given = write.inserts('shop.orders', 0, 9)
    const fetch: Stream['fetch'] = async (from) => {
      if (from < 2n) return slice(given, from, 2n)
      newer.abort()
      return slice(given, from, 10n)
    }
    const { summary, sent } = await run({ given, stream: { fetch }, own: { signal: newer.signal } })
    assert.equal(summary.ended, 'superseded')
    assert.ok(
      sent.flat().every((offset) => offset < 2n),
      String(sent),
    )
    assert.ok(summary.fetched <= 1, `${summary.fetched} fetched`)
  })

  test('fetches a damaged slice again, and restarts its count after a good slice', async () => {
    const given = write.inserts('shop.orders', 0, 9)
    let damaged = 0
    const fetch: Stream['fetch'] = async (from) => {
      // Four damaged answers for each record: five in a row would halt the stream.
      if (from > 1n && damaged < 4) {
        damaged += 1
        throw failure('BATCH_CORRUPT')
      }
      damaged = 0
      return slice(given, from, from < 10n ? from + 1n : from)
    }
    const { summary } = await run({ given, stream: { fetch } })
    assert.deepEqual([summary.ended, summary.to], ['end-of-stream', '10'])
  })

  test('halts at a slice that stays damaged, after all earlier changes were delivered', async () => {
    const given = write.inserts('shop.orders', 0, 9)
    let tries = 0
    const fetch: Stream['fetch'] = async (from) => {
      if (from < 5n) return slice(given, from, 5n)
      tries += 1
      throw failure('BATCH_CORRUPT')
    }
    const { thrown, item, tookMs } = await run({ given, stream: { fetch } })
    assert.deepEqual([codeOf(thrown), tries], ['BATCH_CORRUPT', 5])
    assert.deepEqual([item?.state, item?.offset], ['HALTED', 5n])
    assert.ok(tookMs >= 2_000, `${tookMs} ms`)
  })
})
