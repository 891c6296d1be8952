import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeRecord, integer, text } from '../../../infra/local/encode.ts'
import type { Invoke } from '../../../lib/dispatch/invoke.ts'
import { poll } from '../../../lib/poll/poll.ts'
import type { NewRecord } from '../../support/parts.ts'
import { t0, Writer } from '../../support/records.ts'
import {
  acknowledge,
  codeOf,
  dependencies,
  failure,
  type RunOptions,
  readUpTo,
  run,
  slice,
  startedAt,
  streamOf,
  virtualTime,
} from './support.ts'

const write = new Writer()
const before = write.insert('shop.orders', 0, t0)
const begin = write.mark('BEGIN', t0)
const commit = write.mark('COMMIT', t0)

let records = 0

/** A change of a transaction. */
function change(transaction: string, table = 'orders'): NewRecord {
  records += 1
  const value = encodeRecord({
    operation: 'INSERT',
    objectName: `shop.${table}`,
    fields: [
      ['id', 8],
      ['status', 253],
    ],
    after: [integer(records), text('new')],
    id: BigInt(records + 1_000),
    sourceTimestamp: t0,
    sourcePosition: `${records}@transactions`,
    sourceTxid: transaction,
    tags: { pk_uk_info: '{"PRIMARY":["id"]}' },
  })
  return { value, timestamp: t0 }
}

const routesOf = (settings: object = {}) => {
  const route = { function: 'all', attempts: 2, transactions: true, ...settings }
  return { ROUTES: JSON.stringify({ 'shop.orders': route, 'shop.items': route, 'shop.logs': 'logs' }) }
}

type Got = readonly [part: string, offsets: readonly number[]]

/** Collects what the function of transactions gets, one list for each invocation. */
function collecting(got: Got[][], answer: Invoke = acknowledge): Invoke {
  return async (name, batch, events) => {
    if (name === 'all') {
      let at = 0
      const parts = (batch.transactions ?? []).map(({ count, part }): Got => {
        at += count
        return [part, events.slice(at - count, at).map(({ offset }) => Number(offset))]
      })
      got.push(parts)
    }
    return await answer(name, batch, events)
  }
}

async function transactionsOf(given: readonly NewRecord[], options: RunOptions = {}, settings: object = {}) {
  const got: Got[][] = []
  const { invoke } = options
  const result = await run({
    environment: routesOf(settings),
    ...options,
    given: [before, ...given],
    invoke: (parts) => collecting(got, invoke?.(parts)),
  })
  return { ...result, got }
}

/** Each fetch brings so many records. */
const inSlices = (given: readonly NewRecord[], count: bigint) => ({
  fetch: async (from: bigint) => {
    const [all, to] = [[before, ...given], from + count]
    return slice(all, from, to < BigInt(all.length) ? to : BigInt(all.length))
  },
})

describe('a function with onTransaction', () => {
  const marked = [begin, change('1'), change('1', 'items'), change('1', 'logs'), change('1'), commit]
  const next = [begin, change('2', 'items'), commit]

  test('gets each transaction of its tables whole, whatever the fetches bring', async () => {
    for (const size of [1n, 2n, 3n, 20n]) {
      const given = [...marked, ...next]
      const { got, summary } = await transactionsOf(given, { stream: inSlices(given, size) })
      assert.deepEqual(got.flat(), [
        ['whole', [2, 3, 5]],
        ['whole', [8]],
      ])
      assert.deepEqual([summary.ended, summary.to], ['end-of-stream', '10'])
    }
  })

  test('gets them from a stream without BEGIN and COMMIT too: the next transaction shows the end of one', async () => {
    const given = [change('0', 'logs'), change('1'), change('1', 'items'), change('2', 'logs'), change('3')]
    const { got } = await transactionsOf(given)
    assert.deepEqual(got.flat(), [
      ['whole', [2, 3]],
      ['whole', [5]],
    ])
  })

  test('gets the last one of such a stream after two silent seconds', async () => {
    const from: number[] = []
    const { got, summary, tookMs } = await transactionsOf([change('0', 'logs'), change('1'), change('1')], {
      invoke:
        ({ now }) =>
        async (...call) => {
          if (call[0] === 'all') from.push(now() - startedAt)
          return await acknowledge(...call)
        },
    })
    assert.deepEqual([got, summary.ended], [[[['whole', [2, 3]]]], 'end-of-stream'])
    assert.ok((from[0] ?? 0) >= 2_000 && tookMs < 5_000, String(from))
  })

  test('gets nothing of a transaction without its COMMIT: the run ends, and the next one begins at its BEGIN', async () => {
    const { got, summary, tookMs } = await transactionsOf([...next, ...marked.slice(0, -1)])
    assert.deepEqual(got.flat(), [['whole', [2]]])
    assert.deepEqual([summary.ended, summary.to, summary.handled['shop.logs']], ['end-of-stream', '4', 1])
    assert.ok(tookMs < 5_000)
  })

  test('reads a transaction to its end although a bound of the run comes before', async () => {
    const { got, summary } = await transactionsOf([...marked, ...next], {
      environment: { ...routesOf(), POLL_MAX_RECORDS: '2' },
      stream: inSlices([...marked, ...next], 1n),
    })
    assert.deepEqual(got.flat(), [['whole', [2, 3, 5]]])
    assert.deepEqual([summary.ended, summary.to], ['records', '7'])
  })

  test('gets a transaction above its batch size in parts, which say so', async () => {
    const { got } = await transactionsOf([...marked, ...next], {}, { batchSize: 2 })
    assert.deepEqual(got, [
      [['first', [2, 3]]],
      [
        ['last', [5]],
        ['whole', [8]],
      ],
    ])
  })

  test('gets the last part in the next run as the last one', async () => {
    const given = [before, begin, change('1'), change('1'), change('1'), commit]
    const got: Got[][] = []
    const store = await readUpTo(1n, given)
    for (const permits of [1, 10]) {
      let left = permits
      const time = virtualTime()
      const parts = dependencies(
        store,
        streamOf(given),
        { ...time, remainingMs: () => (left > 0 ? time.remainingMs() : 0), owner: `run-${permits}` },
        routesOf({ batchSize: 2 }),
      )
      const invoke = collecting(got, async (...call) => {
        left -= 1
        return await acknowledge(...call)
      })
      await poll({ ...parts, invoke })
    }
    assert.deepEqual(got, [[['first', [2, 3]]], [['last', [4]]]])
    assert.deepEqual((await store.read())?.offset, 6n)
  })

  test('gets a transaction that it cannot handle in parts after its attempts, so that one change becomes a dead letter', async () => {
    const letters: bigint[] = []
    const { got, summary } = await transactionsOf([...marked, ...next], {
      invoke:
        () =>
        async (...call) =>
          call[0] === 'all' && call[2].some(({ offset }) => offset === 3n)
            ? { kind: 'failed', error: failure('HANDLER_FAILED') }
            : await acknowledge(...call),
      own: { putAside: async ({ offset }) => void letters.push(offset) },
    })
    assert.deepEqual([letters, summary.to], [[3n], '10'])
    // Twice with the next one, then alone. Only then in parts, each with its own attempts.
    assert.deepEqual(got, [
      [
        ['whole', [2, 3, 5]],
        ['whole', [8]],
      ],
      [
        ['whole', [2, 3, 5]],
        ['whole', [8]],
      ],
      [['whole', [2, 3, 5]]],
      [['first', [2, 3]]],
      [['first', [2]]],
      [['last', [3, 5]]],
      [['last', [3, 5]]],
      [['middle', [3]]],
      [
        ['last', [5]],
        ['whole', [8]],
      ],
    ])
  })

  test('with onFailure halt never gets a part of a transaction that it cannot handle', async () => {
    const { got, thrown, item } = await transactionsOf(
      marked,
      {
        invoke:
          () =>
          async (...call) =>
            call[0] === 'all'
              ? { kind: 'failed', error: failure('HANDLER_FAILED') }
              : await acknowledge(...call),
      },
      { onFailure: 'halt' },
    )
    assert.deepEqual([codeOf(thrown), item?.offset], ['HANDLER_FAILED', 2n])
    assert.deepEqual(got, [[['whole', [2, 3, 5]]], [['whole', [2, 3, 5]]]])
  })

  test('gets a transaction that began before the start of the stream as its last part', async () => {
    const { got } = await transactionsOf([change('0'), commit, ...next])
    assert.deepEqual(got.flat(), [
      ['last', [1]],
      ['whole', [4]],
    ])
  })
})
