import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { freshPosition } from '../../../lib/checkpoint/types.ts'
import { Dispatcher } from '../../../lib/dispatch/dispatcher.ts'
import { DtsError } from '../../../lib/errors.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import type { FetchBounds, Fetched, Stream } from '../../../lib/kafka/stream.ts'
import { ReadWindow } from '../../../lib/log/read-window.ts'
import { Intake } from '../../../lib/poll/intake.ts'
import { emptySummary } from '../../../lib/poll/summary.ts'
import { runMeasures } from '../../../lib/poll/telemetry.ts'
import { t0, Writer } from '../../support/records.ts'
import { testConfig } from '../../support/test-config.ts'

/** A broker's answer to one fetch: its time, and the number of readable records. */
interface Step {
  /** Milliseconds until the answer, without the wait for news. */
  readonly takes: number
  /** Milliseconds of waiting until news come. Absent: no news come within the allowed wait. */
  readonly waits?: number
  /** Readable records. */
  readonly readable: number
  /** Offsets in the log. Absent: as many as readable records. */
  readonly end?: number
  readonly fails?: boolean
}

/** Fetches once for each step. Only the broker moves the clock, and the handler never answers. */
async function fetchTimes(steps: readonly Step[], lingerSeconds: number) {
  const write = new Writer()
  const given = write.inserts('shop.orders', 0, 9)
  let clock = t0 * 1000
  const asked: number[] = []
  const fetch = async (from: bigint, { maxWaitMs }: FetchBounds): Promise<Fetched> => {
    const step = steps[asked.length]
    assert.ok(step !== undefined, 'no fetch but those of the steps')
    asked.push(maxWaitMs)
    const next = BigInt(step.readable)
    clock +=
      step.takes +
      (next > from && step.waits === undefined ? 0 : Math.min(maxWaitMs, step.waits ?? maxWaitMs))
    if (step.fails) throw new DtsError('BROKER_FAILED', 'as the test wants it', { retryable: true })
    const records = LogRecords.of(
      given.slice(Number(from), step.readable).map(({ value }, at) => ({ offset: from + BigInt(at), value })),
    )
    return {
      records,
      nextOffset: next > from ? next : from,
      end: BigInt(step.end ?? step.readable),
      free: () => {},
    }
  }
  const stopping = new AbortController()
  const summary = emptySummary()
  summary.from = '0'
  const config = testConfig({
    DTS_BROKER_URL: 'broker:1',
    DTS_TOPIC: 'topic',
    DTS_GROUP: 'group',
    CHECKPOINT_TABLE: 'table',
    POLL_LINGER_SECONDS: String(lingerSeconds),
    ROUTES: '{"shop.orders":{"function":"orders"}}',
  })
  const now = () => clock
  const never = new Promise<never>(() => {})
  const dispatcher = new Dispatcher(
    {},
    {
      send: () => never,
      putAside: null,
      permit: async () => true,
      mayGrow: () => false,
      mayHold: () => false,
      transactionWaitMs: () => 0,
      longestGrowthMs: () => 0,
      pause: () => never,
      now,
      random: () => 0,
      endsBy: () => clock,
      changed: () => {},
    },
    stopping.signal,
  )
  const readWindow = new ReadWindow(freshPosition(0n, t0, null, null))
  const stream = { fetch } as Pick<Stream, 'fetch'> as Stream
  const intake = new Intake(
    { config, now, sleep: async () => {}, signal: new AbortController().signal },
    {
      stream,
      readWindow,
      dispatcher,
      summary,
      drift: null,
      transactionBefore: null,
      putAside: async () => {},
      timeLeftMs: () => 60_000,
      stopping: stopping.signal,
    },
  )
  for (const _ of steps) await intake.fetch()
  const measured = Object.fromEntries(runMeasures(summary, null).map(([name, , value]) => [name, value]))
  stopping.abort()
  return { fetch: measured.FetchTime, wait: measured.WaitTime, asked, fault: intake.fault }
}

describe('the summary separates the time of fetching from the wait for news', () => {
  test('while a slow handler works on the last records, the broker’s wait is not its fetch time', async () => {
    const found = await fetchTimes(
      [
        { takes: 30, readable: 10 },
        { takes: 5, readable: 10 },
        { takes: 5, readable: 10 },
        { takes: 5, readable: 10 },
      ],
      0,
    )
    assert.deepEqual(found, { fetch: 45, wait: 600, asked: [0, 200, 200, 200], fault: null })
  })

  test('a slow broker has a long fetch time', async () => {
    const found = await fetchTimes([{ takes: 4_000, readable: 10 }], 5)
    assert.deepEqual(found, { fetch: 4_000, wait: 0, asked: [0], fault: null })
  })

  test('news that come while the broker waits end the wait', async () => {
    const found = await fetchTimes(
      [
        { takes: 30, readable: 3 },
        { takes: 0, waits: 300, readable: 10 },
      ],
      5,
    )
    assert.deepEqual(found, { fetch: 30, wait: 300, asked: [0, 1_000], fault: null })
  })

  test('a stream without any news counts the allowed wait as wait', async () => {
    const found = await fetchTimes(
      [
        { takes: 20, readable: 0 },
        { takes: 20, readable: 0 },
      ],
      5,
    )
    assert.deepEqual(found, { fetch: 40, wait: 1_000, asked: [0, 1_000], fault: null })
  })

  test('a transaction that is still open counts as wait', async () => {
    const found = await fetchTimes(
      [
        { takes: 10, readable: 0, end: 5 },
        { takes: 10, readable: 0, end: 5 },
      ],
      0,
    )
    assert.deepEqual(found, { fetch: 20, wait: 1_000, asked: [0, 1_000], fault: null })
  })

  test('a fetch that fails counts its time', async () => {
    const found = await fetchTimes([{ takes: 30_000, readable: 10, fails: true }], 0)
    assert.deepEqual([found.fetch, found.wait, found.fault?.code], [30_000, 0, 'BROKER_FAILED'])
  })
})
