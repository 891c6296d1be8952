import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, type TestContext, test } from 'node:test'
import { Logger } from '@aws-lambda-powertools/logger'
import { DtsError, type ErrorCode } from '../../../lib/errors.ts'
import { emptySummary, functionSummary, type PollSummary } from '../../../lib/poll/summary.ts'
import { functionMeasures, runMeasures, Telemetry } from '../../../lib/poll/telemetry.ts'

const drift = { table: 'shop.orders', offset: '4', added: 'note', lost: '', retyped: 'total (3 to 246)' }

function measures(change: Partial<PollSummary>, thrown: unknown = null): Record<string, number> {
  const summary = { ...emptySummary(), from: '0', ...change }
  return Object.fromEntries(runMeasures(summary, thrown).map(([name, , value]) => [name, value]))
}

const states = [
  'Halted',
  'Paused',
  'Failed',
  'LeaseHeld',
  'LeaseLost',
  'Superseded',
  'Recovered',
  'LeaseTooLong',
  'GroupShared',
] as const
const coded = (code: ErrorCode) => new DtsError(code, 'no', { retryable: false })
const broken = new DtsError('BROKER_FAILED', 'no', { retryable: true })

describe('the measures of a run', () => {
  const ends: [
    reason: string,
    change: Partial<PollSummary>,
    thrown: unknown,
    state: string | null,
    more?: string,
  ][] = [
    ['an ordinary end', { ended: 'records' }, null, null],
    ['failing handlers, which are counted as retried', { ended: 'handler-failed' }, null, null],
    ['a halted stream', { halted: 'CLUSTER_CHANGED' }, broken, 'Halted'],
    ['a stream that a person stopped', { halted: 'PAUSED' }, broken, 'Paused'],
    ['a fault that passes by itself', {}, broken, 'Failed'],
    ['a crash', {}, new TypeError('x'), 'Failed'],
    ['another run at work', { ended: 'lease-held' }, null, 'LeaseHeld'],
    ['a lease that was lost', { ended: 'lease-lost' }, null, 'LeaseLost'],
    ['a run that thawed after a newer one began', { ended: 'superseded' }, null, 'Superseded'],
    ['a cluster change without loss', { ended: 'recovered' }, null, 'Recovered'],
    ['a lease that ends years ahead', {}, coded('LEASE_TOO_LONG'), 'Failed', 'LeaseTooLong'],
    ['a first start on another one’s group', {}, coded('GROUP_SHARED'), 'Failed', 'GroupShared'],
    ['another deployment on the group', { otherDeployment: 'service "a"' }, null, 'GroupShared'],
  ]
  for (const [reason, change, thrown, ...expected] of ends) {
    const wanted = expected.filter((state) => state !== null)
    test(`${reason}: ${wanted.join(', ') || 'no state'}`, () => {
      const found = measures(change, thrown)
      const raised = states.filter((name) => found[name] !== 0)
      assert.deepEqual(raised, wanted)
      for (const name of raised) assert.equal(found[name], 1)
    })
  }

  test('reports no end for a run that threw an error', () => {
    for (const ended of ['lease-held', 'lease-lost', 'superseded', 'recovered'] as const) {
      const found = measures({ ended }, broken)
      assert.deepEqual(
        states.filter((name) => found[name] !== 0),
        ['Failed'],
      )
    }
  })

  test('are sums over all tables', () => {
    const found = measures({
      handled: { 'shop.a': 3, 'shop.b': 4 },
      skipped: { x: 5 },
      filtered: { 'shop.a': 8, 'shop.b': 1 },
      ghosts: { 'shop._a_gho': 2, 'shop._b_gho': 4 },
      deadLettered: { y: 1 },
    })
    assert.deepEqual(
      [found.Handled, found.Skipped, found.Filtered, found.Ghosts, found.DeadLettered],
      [7, 5, 9, 6, 1],
    )
  })

  test('leaves out unknown values: 0 would look healthy', () => {
    const unknown = measures({
      from: null,
      lagSeconds: null,
      lagRecords: null,
      secondsUntilLoss: null,
      silentSeconds: null,
    })
    for (const name of [
      'LagSeconds',
      'LagRecords',
      'SecondsUntilLoss',
      'SourceSilentSeconds',
      'Fetched',
      'Handled',
    ]) {
      assert.ok(!(name in unknown), name)
    }
    const halted = measures({ from: null, halted: 'DATA_GAP', lagSeconds: 3_600 }, broken)
    assert.equal(halted.LagSeconds, 3_600)
  })

  test('are given by function, with unreadable records under a name of their own', () => {
    const summary = emptySummary()
    functionSummary(summary, 'shop-dev-orders').handled = 2
    functionSummary(summary, '').deadLettered = 1
    const found = Object.fromEntries(
      [...functionMeasures(summary)].map(([name, list]) => [name, list.map(([, , value]) => value)]),
    )
    assert.deepEqual(found, { 'shop-dev-orders': [2, 0, 0, 0], unreadable: [0, 0, 1, 0] })
  })

  test('count tables whose columns changed only if there are some, because CloudWatch charges for each hour with a value', () => {
    assert.equal(measures({ drifts: [drift, drift] }).ColumnsChanged, 2)
    assert.ok(!('ColumnsChanged' in measures({})))
  })

  test('lists exactly the metrics of docs/telemetry.md', () => {
    const manual = readFileSync(new URL('../../../docs/telemetry.md', import.meta.url), 'utf8')
    const listed = [...manual.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1] ?? '')
    const drifts = [drift]
    const known = { drifts, lagSeconds: 1, lagRecords: '1', secondsUntilLoss: 1, silentSeconds: 1 }
    assert.deepEqual(listed.toSorted(), Object.keys(measures(known)).toSorted())
  })
})

test('each table whose columns changed has a log line of its own, with escaped names', () => {
  const logger = new Recorder({ serviceName: 'poller' })
  const strange = { ...drift, table: 'shop.\u001b[2J', added: 'a\u202eb' }
  const summary = { ...emptySummary(), drifts: [drift, strange] }
  new Telemetry(logger, 'test-poller').runEnded(summary, null)
  const lines = logger.lines.filter((line) => line.includes('"Columns changed"'))
  assert.equal(lines.length, 2)
  const [first] = lines.map((line) => JSON.parse(line))
  assert.deepEqual([first.level, first.drift], ['WARN', drift])
  for (const line of lines) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u)
})

class Recorder extends Logger {
  readonly lines: string[] = []
  protected override printLog(...[, log]: Parameters<Logger['printLog']>): void {
    this.lines.push(JSON.stringify(log.getAttributes()))
  }
}

test('a log line escapes names from the stream, because people read logs in terminals', () => {
  const table = 'shop.\u001b[2J\u009b31m\u202eorders\u007f'
  const summary = { ...emptySummary(), skipped: { [table]: 2 } }
  const logger = new Recorder({ serviceName: 'poller' })
  const telemetry = new Telemetry(logger, 'test-poller')
  telemetry.runEnded(summary, null)
  const facts = { table }
  telemetry.runEnded(summary, new DtsError('TABLE_UNROUTED', table, { retryable: false, facts }))
  assert.equal(logger.lines.length, 2)
  for (const line of logger.lines) {
    assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u)
    assert.match(line, /shop\..*orders/)
  }
})

describe('the log lines at the end of a run', () => {
  type Line = Record<string, unknown>

  /** The lines of one run in the function's log. */
  function written(t: TestContext, change: Partial<PollSummary>, thrown: unknown = null): Line[] {
    // With this setting, Powertools writes to the console of the process, and writes metrics.
    Object.assign(process.env, { POWERTOOLS_DEV: 'true', POWERTOOLS_METRICS_DISABLED: 'false' })
    const lines: Line[] = []
    for (const method of ['log', 'info', 'error'] as const) {
      const take = (text: string) => void lines.push(JSON.parse(text))
      t.mock.method(console, method, take)
    }
    const summary = { ...emptySummary(), from: '0', ...change }
    new Telemetry(new Logger({ serviceName: 'poller' }), 'my-poller').runEnded(summary, thrown)
    t.mock.restoreAll()
    delete process.env.POWERTOOLS_DEV
    delete process.env.POWERTOOLS_METRICS_DISABLED
    return lines
  }

  const failures: PollSummary['failures'] = [{ lane: 'orders', code: 'HANDLER_FAILED', message: 'm' }]

  test('name the 100 tables with the most changes, and count the others together', (t) => {
    const handled = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, index) => [
        `shop.a_table_with_a_rather_long_name_${index}`,
        index + 1,
      ]),
    )
    const [line] = written(t, { handled, skipped: { 'shop.small': 1 } })
    const summary = line?.summary as { handled: Record<string, number>; skipped: Record<string, number> }
    assert.equal(Object.keys(summary.handled).length, 101)
    assert.equal(summary.handled['shop.a_table_with_a_rather_long_name_4900'], 4_901)
    assert.equal(summary.handled['4900 other tables'], (4_900 * 4_901) / 2)
    assert.deepEqual(summary.skipped, { 'shop.small': 1 })
    assert.ok(JSON.stringify(line).length < 256 * 1024)
  })

  test('have the level error if a change could not be handled', (t) => {
    const level = (change: Partial<PollSummary>, thrown: unknown = null) =>
      written(t, change, thrown)[0]?.level
    assert.equal(level({}), 'INFO')
    assert.equal(level({ failures }), 'ERROR')
    assert.equal(level({}, broken), 'ERROR')
  })

  test('contain the code of the halt rather than the code of the thrown error', (t) => {
    const codes = (change: Partial<PollSummary>, thrown: unknown) => {
      const [log, metrics] = written(t, change, thrown)
      return [log?.code, metrics?.code, metrics?.ended]
    }
    const halted = new DtsError('STREAM_HALTED', 'no', { retryable: false })
    assert.deepEqual(codes({ halted: 'CLUSTER_CHANGED' }, halted), [
      'STREAM_HALTED',
      'CLUSTER_CHANGED',
      'thrown',
    ])
    assert.deepEqual(codes({}, broken), ['BROKER_FAILED', 'BROKER_FAILED', 'thrown'])
    assert.deepEqual(codes({ ended: 'records' }, null), [undefined, undefined, 'records'])
  })

  test('contain only the name of an unknown error, because its message may contain a value of a row', (t) => {
    for (const thrown of [new RangeError('the name of a customer'), 'the name of a customer']) {
      const text = JSON.stringify(written(t, {}, thrown))
      assert.doesNotMatch(text, /customer/)
      assert.match(text, thrown instanceof Error ? /"code":"RangeError"/ : /"code":"string"/)
    }
  })

  test('contain the causes of an error: names and codes, but messages only of our own errors', (t) => {
    const socket = Object.assign(new Error('the name of a customer'), { code: 'ECONNREFUSED' })
    const broker = new DtsError('BROKER_FAILED', 'The request failed.', { retryable: true, cause: socket })
    const thrown = new DtsError('SECRET_UNAVAILABLE', 'no', { retryable: true, cause: broker })
    const [line] = written(t, {}, thrown)
    assert.deepEqual(line?.cause, {
      name: 'BROKER_FAILED',
      message: 'The request failed.',
      code: 'BROKER_FAILED',
      cause: { name: 'Error', code: 'ECONNREFUSED' },
    })
    assert.doesNotMatch(JSON.stringify(line), /customer/)
  })

  test('contain one line of metrics for each function, with its name', (t) => {
    const functions = { orders: { handled: 3, retried: 1, deadLettered: 2, milliseconds: 40 } }
    const lines = written(t, { functions })
    const found = lines.map(({ service, function: name, Handled }) => [service, name, Handled])
    assert.deepEqual(found.slice(1), [
      ['my-poller', undefined, 0],
      ['my-poller', 'orders', 3],
    ])
  })
})
