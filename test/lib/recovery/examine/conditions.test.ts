import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Checkpoint,
  freshPosition,
  type Position,
  type Trouble,
} from '../../../../lib/checkpoint/types.ts'
import { checkDelivery, checkNews } from '../../../../lib/recovery/examine/conditions.ts'
import { describeTrouble, failing } from '../../../../lib/recovery/examine/trouble.ts'
import { open } from '../../../support/open-stream.ts'
import { t0, Writer } from '../../../support/records.ts'

/** The last record of the log is of t0 + 9. */
const records = new Writer().inserts('shop.orders', 0, 9)
const at = (seconds: number) => (t0 + seconds) * 1000

describe('the news from DTS', () => {
  const cases: [seconds: number, mode: 'dts' | 'kafka', expected: RegExp][] = [
    [9, 'dts', /^the newest record is 0 s old$/],
    [69, 'dts', /^the newest record is 60 s old$/],
    [70, 'kafka', /^the newest record is 61 s old; a plain topic may be idle$/],
    [-1_000, 'dts', /^unknown: no record at the end of the log has a time before now$/],
  ]
  for (const [seconds, mode, expected] of cases) {
    test(`${seconds} s after the beginning of the log, for ${mode}: ${expected.source}`, async (t) => {
      const { stream } = await open(t, records)
      const { detail, attention = false } = await checkNews(stream, mode, at(seconds))
      assert.match(detail, expected)
      assert.equal(attention, false)
    })
  }

  test('are overdue a minute after the last heartbeat', async (t) => {
    const { stream } = await open(t, records)
    await assert.rejects(checkNews(stream, 'dts', at(70)), {
      code: 'SOURCE_SILENT',
      retryable: true,
      facts: { seconds: 61 },
      message:
        /^The newest record of any kind is 61 s old, .*the task has stopped \(paused, expired, released\), or is equally late itself\. .*status of the task in the DTS console/,
    })
  })
})

const trouble = (change: Partial<Trouble>): Trouble => ({
  offset: 5n,
  attempts: 0,
  since: at(0),
  nextAt: at(0),
  limit: null,
  ...change,
})
const since = new Date(at(0)).toISOString()

test('only a change that failed, or could not be sent, waits to be tried again', () => {
  assert.equal(failing(null), false)
  assert.equal(failing(trouble({ limit: 10 })), false)
  assert.equal(failing(trouble({ outages: 0 })), false)
  assert.equal(failing(trouble({ attempts: 1 })), true)
  assert.equal(failing(trouble({ outages: 1 })), true)
  assert.equal(describeTrouble(trouble({ attempts: 2 })), `offset 5 failed 2 time(s) since ${since}`)
  assert.equal(
    describeTrouble(trouble({ outages: 3 })),
    `offset 5 could not be sent 3 time(s) since ${since}`,
  )
  assert.equal(
    describeTrouble(trouble({ attempts: 2, outages: 3 })),
    `offset 5 failed 2 time(s) and could not be sent 3 time(s) since ${since}`,
  )
})

describe('the delivery', () => {
  const running: Checkpoint = {
    ...freshPosition(7n, t0 + 6),
    key: 'topic/0',
    epoch: 1,
    owner: null,
    leaseUntil: null,
    generation: 1,
    clusterId: 'c',
    replayUntil: null,
    ledger: [],
    wish: null,
    state: 'RUNNING',
  }
  const lane = (through: bigint | null, change: Partial<Trouble> | null): Position['lanes'] => ({
    'test-orders': { through, anchor: null, trouble: change === null ? null : trouble(change) },
  })
  const noRun =
    /No run is at work now\. If that lasts, look at the schedule and at "Poll failed" in the poller's log\./
  const cases: [
    what: string,
    item: Checkpoint | null,
    seconds: number,
    attention: boolean,
    detail: RegExp,
  ][] = [
    ['nothing was read yet', null, 9, false, /^nothing was read yet$/],
    ['everything was handled', { ...running, offset: 10n }, 9_999, false, /^at the end of the log$/],
    ['the position is above the end', { ...running, offset: 11n }, 9_999, false, /^at the end of the log$/],
    ['a little is left', running, 306, false, /^300 s and 3 records behind$/],
    ['the clock of the source is ahead', running, 0, false, /^0 s and 3 records behind$/],
    ['the position is late', running, 307, true, /^301 s and 3 records behind\. No run is at work now/],
    ['no run is at work', { ...running, leaseUntil: at(307) }, 307, true, noRun],
    [
      'a run is at work',
      { ...running, leaseUntil: at(307) + 1 },
      307,
      true,
      /^301 s and 3 records behind\. A run is at work\. If the lag grows, the dashboard .*FetchTime, HandlerTime.*and deploy\.$/,
    ],
    [
      'a function is ahead of the others',
      { ...running, lanes: lane(8n, null) },
      307,
      true,
      / test-orders got further than that: one of the other functions is slow\. If the lag grows/,
    ],
    [
      'no function is ahead',
      { ...running, lanes: lane(null, { limit: 10 }) },
      307,
      true,
      /"Poll failed" in the poller's log\. If the lag grows/,
    ],
    [
      'a change fails',
      { ...running, lanes: lane(null, { attempts: 2 }) },
      9,
      true,
      /^3 s and 3 records behind; test-orders: offset 5 failed 2 time\(s\) since \S+$/,
    ],
    [
      'a change fails at the end of the log',
      { ...running, offset: 10n, lanes: lane(null, { outages: 1 }) },
      9,
      true,
      /^at the end of the log; test-orders: offset 5 could not be sent 1 time\(s\) since \S+$/,
    ],
    [
      'two functions are ahead',
      {
        ...running,
        lanes: { ...lane(8n, null), 'test-items': { through: 8n, anchor: null, trouble: null } },
      },
      307,
      true,
      / test-orders, test-items got further than that: /,
    ],
    [
      'two changes fail',
      {
        ...running,
        lanes: {
          ...lane(null, { attempts: 2 }),
          'test-items': { through: null, anchor: null, trouble: trouble({ attempts: 1 }) },
        },
      },
      9,
      true,
      /; test-orders: offset 5 failed 2 time\(s\) since [^ ;]+; test-items: offset 5 failed 1 time\(s\) since \S+$/,
    ],
    ['a person halted it', { ...running, state: 'HALTED', halt: null }, 9, true, /^halted$/],
    [
      'an error halted it',
      {
        ...running,
        state: 'HALTED',
        halt: { code: 'ROW_INVALID', message: 'no', facts: {}, next: [], at: at(3) },
      },
      9,
      true,
      new RegExp(`^halted since ${new Date(at(3)).toISOString()} \\(ROW_INVALID\\)$`),
    ],
  ]
  for (const [what, item, seconds, isAttention, detail] of cases) {
    test(`is ${isAttention ? 'shown for attention' : 'well'} if ${what}`, async (t) => {
      const { stream } = await open(t, records)
      const found = await checkDelivery(item, stream, at(seconds))
      assert.deepEqual([found.attention ?? false, found.result], [isAttention, true])
      assert.match(found.detail, detail)
      const isHalted = item?.state === 'HALTED'
      assert.deepEqual(
        found.next ?? [],
        isHalted ? [{ action: 'inspect', purpose: 'see what ends the halt' }] : [],
      )
    })
  }
})
