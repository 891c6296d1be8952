import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readCoefficients } from '../../../../infra/operate/cost/coefficients.ts'
import type { Load } from '../../../../infra/operate/cost/load.ts'
import { dayOfUse } from '../../../../infra/operate/cost/usage.ts'

const measured = readCoefficients()
const quiet: Load = {
  changesPerDay: 0,
  tables: 12,
  recordBytes: 500,
  handlerMs: 1,
  memory: 256,
  mode: 'scheduled',
  lingerSeconds: 0,
}
const day = (load: Partial<Load>) => dayOfUse({ ...quiet, ...load }, measured)

function near(actual: number, expected: number, share = 0.02): void {
  assert.ok(Math.abs(actual - expected) <= expected * share, `${actual} is not about ${expected}`)
}

describe('a day of polling each minute', () => {
  test('of an idle stream is the schedule alone, however many tables and however slow their handlers', () => {
    const idle = day({})
    assert.equal(idle.runs, 1440)
    assert.equal(idle.invocations, 0)
    assert.equal(idle.handlerGbSeconds, 0)
    assert.equal(idle.metrics, measured.run.metrics)
    const units = Math.ceil(measured.checkpointBytes / 1024)
    near(idle.dynamoWrites, 1440 * measured.run.dynamoWrites * units, 0.0001)
    assert.deepEqual(day({ tables: 500, handlerMs: 9_000, memory: 4_096 }), idle)
  })

  test('has an invocation for each change while changes are rare: twice the changes, twice the invocations', () => {
    const [some, twice] = [day({ changesPerDay: 100 }), day({ changesPerDay: 200 })]
    near(some.invocations, 100)
    near(twice.invocations, 2 * some.invocations)
  })

  test('has one invocation of each function in each run while all its changes fit into a batch', () => {
    for (const changesPerDay of [1_000_000, 2_000_000, 4_000_000])
      near(day({ changesPerDay }).invocations, 1440 * quiet.tables)
  })

  test('has invocations in proportion to the changes when they exceed a batch', () => {
    const [some, twice] = [day({ changesPerDay: 400_000_000 }), day({ changesPerDay: 800_000_000 })]
    near(some.invocations, 400_000, 0.05)
    near(twice.invocations, 2 * some.invocations, 0.05)
  })

  test('has a second invocation only in the runs that have more changes than a batch', () => {
    const invocationsPerRun = (changesPerRun: number) =>
      day({ tables: 1, changesPerDay: changesPerRun * 1440 }).invocations / 1440
    near(invocationsPerRun(900), 1, 0.01)
    near(invocationsPerRun(1_000), 1.5, 0.02)
    // A Poisson distribution with this mean has 62 % above a thousand.
    near(invocationsPerRun(1_010), 1.62, 0.02)
    near(invocationsPerRun(1_100), 2, 0.01)
  })

  test('carries few large records in an invocation', () => {
    // A batch has room for four of these.
    const large = day({ changesPerDay: 144_000, tables: 1, recordBytes: 1_000_000 })
    assert.ok(large.invocations >= 144_000 / 4, String(large.invocations))
  })

  test('takes less time of the poller per change, the more changes there are', () => {
    const ofOne = (changesPerDay: number) =>
      (day({ changesPerDay }).pollerGbSeconds - day({}).pollerGbSeconds) / changesPerDay
    assert.ok(ofOne(10_000) > 2 * ofOne(1_000_000))
    assert.ok(ofOne(1_000_000) > ofOne(50_000_000))
  })

  test('has metrics of a function only in the hours in which it gets changes', () => {
    const all = measured.run.metrics + quiet.tables * measured.invocation.metrics
    near(day({ changesPerDay: 1_000_000 }).metrics, all, 0.001)
    const rare = day({ changesPerDay: 12 })
    near(rare.metrics - measured.run.metrics, (quiet.tables * measured.invocation.metrics) / 24, 0.05)
  })
})

describe('a day with a linger', () => {
  test('costs the same time of the poller at every load, because it is awake anyway', () => {
    const idle = day({ lingerSeconds: 55 })
    // 75 seconds of each two minutes, with half a gigabyte.
    assert.equal(idle.pollerGbSeconds, 720 * 75 * 0.5)
    assert.equal(day({ lingerSeconds: 55, changesPerDay: 1_000_000 }).pollerGbSeconds, idle.pollerGbSeconds)
  })

  test('has an invocation for almost each change that comes while the poller is awake', () => {
    const { invocations } = day({ lingerSeconds: 55, changesPerDay: 100_000 })
    const awake = 75 / 120
    assert.ok(invocations > 100_000 * awake, String(invocations))
    assert.ok(invocations < 100_000, String(invocations))
  })

  test('has fewer invocations with slower handlers, because changes that wait travel together', () => {
    const busy = { lingerSeconds: 55, changesPerDay: 10_000_000, tables: 2 }
    assert.ok(day({ ...busy, handlerMs: 10 }).invocations < day({ ...busy, handlerMs: 1 }).invocations / 2)
  })
})

test('a day of the low-latency mode has a run at work all the time, at every load', () => {
  const idle = day({ mode: 'low-latency' })
  const busy = day({ mode: 'low-latency', changesPerDay: 100_000 })
  assert.ok(idle.pollerGbSeconds >= 86_400 * 0.5, String(idle.pollerGbSeconds))
  near(idle.pollerGbSeconds, 86_400 * 0.5, 0.05)
  assert.equal(busy.pollerGbSeconds, idle.pollerGbSeconds)
  // Each change has an invocation, and looking for the next run ends where commits do the same.
  near(busy.invocations, 100_000, 0.05)
  near(idle.dynamoReads, 86_400 * 4, 0.01)
  assert.ok(busy.dynamoReads < idle.dynamoReads)
})

test('a load that handlers or poller cannot do in a day is named', () => {
  assert.deepEqual(day({ changesPerDay: 10_000_000 }).limits, [])
  const slow = day({ changesPerDay: 10_000_000, tables: 1, handlerMs: 20 })
  assert.match(slow.limits[0] ?? '', /^The handler of a table needs 56 hours a day\. Raise its concurrency/)
  const many = day({ changesPerDay: 9_000_000_000, tables: 100, handlerMs: 0 })
  assert.match(
    many.limits.join(),
    /^The poller needs \d+ hours a day\. Raise memorySize of custom\.stream\.poller/,
  )
})

test('a poller that cannot keep up is awake all day, and no longer', () => {
  assert.equal(day({ changesPerDay: 9_000_000_000, tables: 100, handlerMs: 0 }).pollerGbSeconds, 86_400 * 0.5)
})

test('has at most one invocation for each change, also over much of the log', () => {
  const wide = day({ changesPerDay: 1_440_000, tables: 1_100, recordBytes: 1_000_000 })
  assert.ok(wide.invocations <= 1_440_000, String(wide.invocations))
})
