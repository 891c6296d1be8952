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

/** One run for each environment. @param prepare called with the number of the next run */
async function runsOver(
  given: readonly NewRecord[],
  environments: readonly Readonly<Record<string, string>>[],
  prepare: (run: number) => void = () => {},
  from = 1n,
) {
  const got: Got[][] = []
  const runs: { ended: string | null; to: string | null }[] = []
  const store = await readUpTo(from, given)
  for (const [at, environment] of environments.entries()) {
    prepare(at)
    const time = virtualTime()
    const stream = streamOf(given, { fetch: async (offset) => slice(given, offset, nextOf(given, offset)) })
    const own = { ...time, owner: `run-${at}` }
    const parts = dependencies(store, stream, own, { ...routesOf(), ...environment })
    const { ended, to } = await poll({ ...parts, invoke: collecting(got) })
    runs.push({ ended, to })
  }
  return { got, runs }
}

const nextOf = (given: readonly NewRecord[], from: bigint) =>
  from + 1n < BigInt(given.length) ? from + 1n : BigInt(given.length)

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

  test('gets them from a stream without BEGIN and COMMIT too: only the next transaction shows the end of one', async () => {
    const given = [change('0', 'logs'), change('1'), change('1', 'items'), change('2', 'logs'), change('3')]
    const { got } = await transactionsOf(given)
    assert.deepEqual(got.flat(), [
      ['whole', [2, 3]],
      ['first', [5]],
    ])
  })

  test('gets what silence leaves open after two seconds, without a claim of its end', async () => {
    for (const given of [
      [change('0', 'logs'), change('1'), change('1')],
      [begin, change('1'), change('1')],
    ]) {
      const from: number[] = []
      const { got, summary, tookMs } = await transactionsOf(given, {
        invoke:
          ({ now }) =>
          async (...call) => {
            if (call[0] === 'all') from.push(now() - startedAt)
            return await acknowledge(...call)
          },
      })
      assert.deepEqual([got, summary.ended, summary.to], [[[['first', [2, 3]]]], 'end-of-stream', '4'])
      assert.ok((from[0] ?? 0) >= 2_000 && tookMs < 5_000, String(from))
    }
  })

  test('gets a transaction whole after a run whose bound came within it, and every run makes progress', async () => {
    const given = [before, ...marked, ...next]
    const { got, runs } = await runsOver(given, [{ POLL_MAX_RECORDS: '3' }, { POLL_MAX_RECORDS: '20' }])
    assert.deepEqual(runs, [
      { ended: 'records', to: '2' },
      { ended: 'end-of-stream', to: '10' },
    ])
    assert.deepEqual(got.flat(), [
      ['whole', [2, 3, 5]],
      ['whole', [8]],
    ])
  })

  test('gets parts if every bound is shorter than a transaction, so that no run is stuck', async () => {
    const given = [before, ...marked, ...next]
    const bound = { POLL_MAX_RECORDS: '1' }
    const { got, runs } = await runsOver(
      given,
      Array.from({ length: 12 }, () => bound),
    )
    assert.equal(runs.at(-1)?.to, '10')
    assert.deepEqual(
      got.flat().map(([part]) => part),
      ['middle', 'middle', 'middle', 'first'],
    )
  })

  test('gets no false whole if a run began between BEGIN and the first change, and the stream is silent then', async () => {
    const given = [before, begin]
    const { got } = await runsOver(given, [{}, {}, {}], (at) => {
      if (at === 1) given.push(change('1'))
      if (at === 2) given.push(change('1'), commit)
    })
    assert.deepEqual(got.flat(), [
      ['middle', [2]],
      ['last', [3]],
    ])
  })

  test('gets no false first part if its handler had onChange when the transaction began', async () => {
    const given = [before, begin, change('1')]
    const { got } = await runsOver(given, [routesOf({ transactions: undefined }), routesOf()], (at) => {
      if (at === 1) given.push(change('1'), commit)
    })
    assert.deepEqual(got, [[], [['last', [3]]]])
  })

  test('gets no false first part after a reset to a place within the transaction', async () => {
    const given = [before, begin, change('1'), change('1'), commit, ...next]
    const { got } = await runsOver(given, [{}], () => {}, 3n)
    assert.deepEqual(got.flat(), [
      ['last', [3]],
      ['whole', [6]],
    ])
  })

  test('gets changes without a name between BEGIN and COMMIT as one transaction, and others one by one', async () => {
    const { got } = await transactionsOf([
      begin,
      change(''),
      change('1'),
      change(''),
      commit,
      change(''),
      change(''),
    ])
    assert.deepEqual(got.flat(), [
      ['whole', [2, 3, 4]],
      ['middle', [6]],
      ['middle', [7]],
    ])
  })

  test('gets what comes before a record that halts the stream, without a claim of its end', async () => {
    const { got, thrown, item } = await transactionsOf([begin, change('1'), change('1', 'unknown'), commit], {
      environment: { ...routesOf(), UNROUTED_TABLES: 'halt' },
    })
    assert.deepEqual([got.flat(), codeOf(thrown), item?.offset], [[['first', [2]]], 'TABLE_UNROUTED', 3n])
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
