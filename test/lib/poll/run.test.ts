import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CheckpointStore } from '../../../lib/checkpoint/store.ts'
import type { Invoke } from '../../../lib/dispatch/invoke.ts'
import type { ErrorCode } from '../../../lib/errors.ts'
import type { Stream } from '../../../lib/kafka/stream.ts'
import type { PollDependencies } from '../../../lib/poll/dependencies.ts'
import type { NewRecord } from '../../integration/parts.ts'
import { t0, Writer } from '../../integration/records.ts'
import {
  acknowledge,
  codeOf,
  failed,
  failure,
  held,
  type RunOptions as Options,
  oneByOne,
  run,
  slice,
  startedAt,
} from './support.ts'

const write = new Writer()
describe('the lag that a run reports', () => {
  test('is nothing at the end of the stream', async () => {
    const { summary } = await run()
    assert.deepEqual([summary.ended, summary.lagRecords, summary.lagSeconds], ['end-of-stream', '0', 0])
  })

  test('is what lies between the committed position and the end of the log', async () => {
    const { summary, now } = await run({ invoke: () => held })
    assert.deepEqual([summary.ended, summary.to, summary.lagRecords], ['handler-failed', '1', '9'])
    // The last change that was handled is a minute old when the run begins.
    const { lagSeconds } = summary
    assert.ok(lagSeconds !== null && lagSeconds >= 60 && lagSeconds <= now() / 1_000 - t0, String(lagSeconds))
  })

  /** Acknowledges everything but the last change. */
  async function runToLast(given: NewRecord[]) {
    const last = BigInt(given.length - 1)
    const invoke: Invoke = async (name, batch, events) =>
      await (events[0]?.offset === last ? held : acknowledge)(name, batch, events)
    const { summary, now } = await run({ given, environment: oneByOne, invoke: () => invoke })
    assert.deepEqual([summary.to, summary.lagRecords], [String(last), '1'])
    return { lagSeconds: summary.lagSeconds ?? -1, now: now() / 1_000 }
  }

  test('is never negative if the clock of the source is ahead', async () => {
    // The source's clock walks ahead of ours in small steps.
    const given = Array.from({ length: 60 }, (_, id) => write.insert('shop.orders', id, t0 + id * 10))
    const { lagSeconds, now } = await runToLast(given)
    assert.ok(now < t0 + 580, `${now}`)
    assert.equal(lagSeconds, 0)
  })

  test('is not hidden by a single change that is dated in the future', async () => {
    const given = [
      ...write.inserts('shop.orders', 0, 0),
      write.insert('shop.orders', 1, t0 + 3_600),
      write.insert('shop.orders', 2, t0 + 3_600),
    ]
    const { lagSeconds, now } = await runToLast(given)
    // The change before it is a minute old when the run begins.
    assert.ok(lagSeconds >= 60 && lagSeconds <= now - t0, String(lagSeconds))
  })
})

describe('a commit that fails', () => {
  /** Ten changes, a second each. */
  const slowly: Pick<Options, 'invoke' | 'environment'> = {
    environment: oneByOne,
    invoke:
      ({ sleep, signal }) =>
      async (...parameters) => {
        await sleep(1_000, signal)
        return await acknowledge(...parameters)
      },
  }

  function refusing(code: ErrorCode, retryable: boolean) {
    let tries = 0
    return {
      tries: () => tries,
      store: (store: CheckpointStore) => {
        store.commit = async () => {
          tries += 1
          throw failure(code, retryable)
        }
      },
    }
  }

  test('because the lease is lost ends the run at once: no other change is sent, nothing is written again', async () => {
    const { tries, store } = refusing('LEASE_LOST', true)
    const { summary, thrown, sent, item } = await run({ ...slowly, store })
    assert.deepEqual([thrown, summary.ended, tries()], [undefined, 'lease-lost', 1])
    assert.ok(sent.length <= 2, `${sent.length} sent`)
    // It is not this run's any more, so the run does not give it back.
    assert.notEqual(item?.leaseUntil, 0)
  })

  test('for a reason that does not pass is thrown at once', async () => {
    const { store } = refusing('CHECKPOINT_TABLE_UNAVAILABLE', false)
    const { thrown, sent } = await run({ ...slowly, store })
    assert.equal(codeOf(thrown), 'CHECKPOINT_TABLE_UNAVAILABLE')
    assert.ok(sent.length <= 2, `${sent.length} sent`)
  })

  test('for a reason that passes is tried again, and changes are sent meanwhile', async () => {
    const { tries, store } = refusing('CHECKPOINT_TABLE_UNAVAILABLE', true)
    const { thrown, sent } = await run({ ...slowly, store })
    assert.deepEqual([codeOf(thrown), sent.length], ['CHECKPOINT_TABLE_UNAVAILABLE', 9])
    assert.ok(tries() > 2, `${tries()} tries`)
  })
})

describe('what comes while a run is at its end', () => {
  /** An answer that comes when no time is left for another invocation. */
  const late =
    (answer: Invoke): NonNullable<Options['invoke']> =>
    ({ sleep, signal }) =>
    async (...parameters) => {
      await sleep(115_000, signal)
      return await answer(...parameters)
    }

  test('an error that nobody expects is thrown, not lost', async () => {
    const fault = new TypeError('nobody expects this')
    const { thrown, item } = await run({
      invoke: late(async () => {
        throw fault
      }),
    })
    assert.equal(thrown, fault)
    assert.deepEqual([item?.state, item?.offset], ['RUNNING', 1n])
  })

  test('a change that is given up halts the stream', async () => {
    const environment = {
      ROUTES: '{"shop.orders":{"function":"orders","batchSize":1,"attempts":1,"onFailure":"halt"}}',
    }
    const { summary, thrown, item } = await run({ environment, invoke: late(failed) })
    assert.deepEqual([codeOf(thrown), summary.halted], ['HANDLER_FAILED', 'HANDLER_FAILED'])
    assert.deepEqual([item?.state, item?.halt?.code, item?.offset], ['HALTED', 'HANDLER_FAILED', 1n])
  })

  test('an acknowledgement is committed, and the lease is given back', async () => {
    const { summary, item } = await run({ invoke: late(acknowledge) })
    assert.deepEqual([summary.ended, item?.offset, item?.leaseUntil], ['time', 10n, 0])
  })
})

describe('a halt', () => {
  test('ends the run at once, and says so', async () => {
    const { summary, thrown, tookMs, item } = await run({ invoke: () => failed })
    assert.deepEqual([codeOf(thrown), summary.halted], ['HANDLER_FAILED', 'HANDLER_FAILED'])
    assert.deepEqual([item?.state, item?.leaseUntil], ['HALTED', 0])
    assert.ok(tookMs < 5_000, `${tookMs} ms`)
  })

  test('keeps the lease for a handler whose answer never came', async () => {
    const given = [
      ...write.inserts('shop.orders', 0, 0),
      ...write.inserts('shop.customers', 1, 1),
      ...write.inserts('shop.orders', 2, 2),
    ]
    const routes = {
      'shop.orders': { function: 'orders', attempts: 1, onFailure: 'halt' },
      'shop.customers': { function: 'customers' },
    }
    const invoke =
      ({ sleep, signal }: PollDependencies): Invoke =>
      async (name, ...rest) => {
        if (name === 'customers') return { kind: 'unknown', error: failure('HANDLER_UNAVAILABLE') }
        await sleep(1_000, signal)
        return await failed(name, ...rest)
      }
    const { thrown, item, now } = await run({
      given,
      environment: { ROUTES: JSON.stringify(routes) },
      invoke,
    })
    assert.deepEqual([codeOf(thrown), item?.state], ['HANDLER_FAILED', 'HALTED'])
    assert.ok((item?.leaseUntil ?? 0) > now(), `${item?.leaseUntil}`)
  })
})

describe('a log that cannot be read further', () => {
  const given = write.inserts('shop.orders', 0, 9)
  const brokenAt5 = (code: ErrorCode): Partial<Stream> => ({
    fetch: async (from) => {
      if (from < 5n) return slice(given, from, 5n)
      throw failure(code, code === 'BROKER_FAILED')
    },
  })
  const cases = [
    ['BROKER_FAILED', 'RUNNING'],
    ['DATA_GAP', 'HALTED'],
    ['BATCH_TOO_LARGE', 'HALTED'],
  ] as const

  for (const [code, state] of cases) {
    test(`${code}: what came before is delivered and committed, and the run says why it ends`, async () => {
      const { thrown, item, sent, tookMs } = await run({ given, stream: brokenAt5(code) })
      assert.deepEqual([codeOf(thrown), sent.flat()], [code, [1n, 2n, 3n, 4n]])
      assert.deepEqual([item?.state, item?.offset, item?.leaseUntil], [state, 5n, 0])
      assert.ok(tookMs < 5_000, `${tookMs} ms`)
    })
  }

  test('is told also where a function fails until the end of the run', async () => {
    const { thrown, item } = await run({ given, stream: brokenAt5('BROKER_FAILED'), invoke: () => held })
    assert.equal(codeOf(thrown), 'BROKER_FAILED')
    assert.deepEqual([item?.state, item?.offset, item?.leaseUntil], ['RUNNING', 1n, 0])
  })
})

describe('a run ends', () => {
  const piecemeal: Partial<Stream> = {
    fetch: async (from) => slice(given, from, from + 2n < 10n ? from + 2n : 10n),
  }
  const given = write.inserts('shop.orders', 0, 9)

  test('after the records that it may fetch', async () => {
    const environment = { POLL_MAX_RECORDS: '4' }
    const { summary } = await run({ given, stream: piecemeal, environment })
    assert.deepEqual([summary.ended, summary.fetched, summary.to], ['records', 4, '5'])
  })

  test('after the bytes that it may fetch', async () => {
    const long = write.inserts('shop.orders', 0, 99)
    const fetch: Stream['fetch'] = async (from) => slice(long, from, from + 1n)
    const { summary } = await run({ given: long, stream: { fetch }, environment: { POLL_MAX_BYTES: '1024' } })
    assert.equal(summary.ended, 'bytes')
    const size = summary.bytes / summary.fetched
    assert.ok(summary.bytes >= 1_024 && summary.bytes < 1_024 + size, `${summary.bytes} bytes`)
    assert.equal(summary.to, String(1 + summary.fetched))
  })

  test('when nothing has come for the time to linger, not at the end of the log', async () => {
    const lingerMs = 3_000
    let asked = 0
    // After an empty answer there are five more.
    const fetch: Stream['fetch'] = async (from) => {
      if (from === 5n && asked++ === 0) return { ...slice(given, 5n, 5n), end: 5n }
      const next = from < 5n ? 5n : 10n
      return { ...slice(given, from, next), end: next }
    }
    const environment = { POLL_LINGER_SECONDS: String(lingerMs / 1_000) }
    const { summary, tookMs } = await run({ given, stream: { fetch }, environment })
    assert.deepEqual([summary.ended, summary.to], ['end-of-stream', '10'])
    assert.ok(tookMs >= lingerMs, `${tookMs} ms`)
  })

  test('early where all functions wait for longer than it pays to', async () => {
    const { summary, tookMs, item } = await run({
      invoke: () => async () => ({ kind: 'unknown', error: failure('HANDLER_UNAVAILABLE') }),
    })
    assert.equal(summary.ended, 'handler-failed')
    assert.deepEqual(
      summary.failures.map(({ lane, code }) => [lane, code]),
      [['orders', 'HANDLER_UNAVAILABLE']],
    )
    assert.ok(tookMs < 10_000, `${tookMs} ms`)
    assert.ok((item?.leaseUntil ?? 0) > startedAt + tookMs, 'the lease is kept')
  })
})

describe('what a run does only for others', () => {
  test('is told as it came out: the commit to the consumer group', async () => {
    const answers: [commit: Stream['commit'], told: string][] = [
      [async () => {}, 'done'],
      [
        async () => {
          throw failure('GROUP_REFUSED')
        },
        'GROUP_REFUSED',
      ],
      [
        async () => {
          throw new TypeError('x')
        },
        'BROKER_FAILED',
      ],
    ]
    for (const [commit, told] of answers) {
      const { summary } = await run({ stream: { commit } })
      assert.deepEqual([summary.ended, summary.groupCommit], ['end-of-stream', told])
    }
  })

  test('is left out where nothing moved', async () => {
    const commits: bigint[] = []
    const { summary } = await run({
      given: write.inserts('shop.orders', 0, 0),
      isIntroduced: true,
      stream: { commit: async (offset) => void commits.push(offset) },
    })
    assert.deepEqual([summary.groupCommit, commits], ['none', []])
  })

  test('never outlasts the invocation, whatever the broker does', async () => {
    const never = new Promise<never>(() => {})
    // When the work is done, four seconds are left: one for this.
    let isDone = false
    const { summary, tookMs } = await run({
      isIntroduced: true,
      stream: {
        commit: () => {
          isDone = true
          return never
        },
      },
      own: { remainingMs: () => (isDone ? 4_000 : 60_000) },
    })
    assert.deepEqual([summary.ended, summary.groupCommit], ['end-of-stream', 'none'])
    assert.ok(tookMs < 10_000, `${tookMs} ms`)
  })
})

test('the time until data is lost is how much older the first readable records are than the position', async () => {
  const given = [
    ...[0, 1, 2].map((id) => write.insert('shop.orders', id, t0)),
    write.insert('shop.orders', 3, t0 + 50),
  ]
  const { summary } = await run({ given })
  assert.deepEqual([summary.ended, summary.secondsUntilLoss], ['end-of-stream', 50])
})
