/** Measures what the cost model of infra/operate/cost needs. */
import { cpus, loadavg } from 'node:os'
import type { Coefficients } from '../infra/operate/cost/coefficients.ts'
import type { Ground } from './ground/ground.ts'
import { pollWarm } from './ground/warm-backlog.ts'
import { median } from './measure.ts'
import type { RunReport } from './programs/poller.ts'

const warmRuns = 20
const runs = 50
/** DTS writes about one a second. */
const heartbeatsPerRun = 60
const backlog = { tables: 1, records: 400_000, distinct: 30_000 }

const manyTables = 20

/** A poller on a stream that gets a change of each of so many tables before each run. */
async function shortRuns(ground: Ground, tables: number) {
  return await ground.withStream({ tables: 1, records: 100 }, async (stream) => {
    const settings = { environment: { BENCH_COUNTS_OUTPUT: '1' } }
    const poller = await ground.startPoller(stream, manyTables, settings, 60_000)
    await poller.next()
    let n = 1_000
    const run = async (): Promise<RunReport> => {
      await ground.heartbeats(stream, heartbeatsPerRun)
      if (tables > 0) await ground.appendToEach(stream, tables, n++)
      return await poller.call('run', null)
    }
    let before = await run()
    for (let at = 1; at < warmRuns; at++) before = await run()
    await ground.handled()
    const requests = await ground.requests(stream)
    let after = before
    for (let at = 0; at < runs; at++) after = await run()
    const handled = await ground.handled()
    const sent = await ground.requests(stream)
    const checkpointBytes = await ground.checkpointBytes(stream)
    await poller.stop()
    const each = (from: number, to: number) => (to - from) / runs
    return {
      cpuMs: each(before.cpuMs, after.cpuMs),
      handlerCpuMs: handled.cpuMs / runs,
      broker: each(requests.broker, sent.broker),
      reads: each(requests.dynamoReads, sent.dynamoReads),
      writes: each(requests.dynamo - requests.dynamoReads, sent.dynamo - sent.dynamoReads),
      logBytes: each(before.output.bytes, after.output.bytes),
      metrics: each(before.output.metrics, after.output.metrics),
      checkpointBytes,
    }
  })
}

/** The median of the rounds for each coefficient. */
export async function measureCoefficients(ground: Ground, rounds: number): Promise<Coefficients> {
  const [load = 0] = loadavg()
  const samples: Omit<Coefficients, 'measured'>[] = []
  for (let round = 0; round < rounds; round++) {
    const idle = await shortRuns(ground, 0)
    const one = await shortRuns(ground, 1)
    const many = await shortRuns(ground, manyTables)
    const full = await pollWarm(ground, backlog)
    const ofOneMore = (of: (run: typeof one) => number) => positive((of(many) - of(one)) / (manyTables - 1))
    const invocation = {
      pollerCpuMs: ofOneMore(({ cpuMs }) => cpuMs),
      handlerCpuMs: ofOneMore(({ handlerCpuMs }) => handlerCpuMs),
      logBytes: ofOneMore(({ logBytes }) => logBytes),
      metrics: ofOneMore(({ metrics }) => metrics),
    }
    samples.push({
      run: {
        cpuMs: idle.cpuMs,
        brokerRequests: idle.broker,
        dynamoReads: idle.reads,
        dynamoWrites: idle.writes,
        logBytes: idle.logBytes,
        metrics: idle.metrics,
      },
      work: {
        cpuMs: positive(one.cpuMs - idle.cpuMs - invocation.pollerCpuMs),
        dynamoWrites: positive(one.writes - idle.writes),
      },
      invocation,
      change: {
        pollerCpuMs: positive(full.pollerCpuMs - full.invocations * invocation.pollerCpuMs),
        handlerCpuMs: positive(full.handlerCpuMs - full.invocations * invocation.handlerCpuMs),
        bytes: full.bytes,
      },
      checkpointBytes: Math.max(idle.checkpointBytes, many.checkpointBytes),
    })
  }
  const [first] = samples
  if (first === undefined) throw new RangeError('There was no round.')
  return {
    measured: {
      date: new Date().toISOString().slice(0, 10),
      node: process.versions.node,
      processor: cpus()[0]?.model ?? 'unknown',
      load: Number(load.toFixed(1)),
    },
    run: medians(samples.map(({ run }) => run)),
    work: medians(samples.map(({ work }) => work)),
    invocation: medians(samples.map(({ invocation }) => invocation)),
    change: medians(samples.map(({ change }) => change)),
    checkpointBytes: rounded(samples.map(({ checkpointBytes }) => checkpointBytes)),
  }
}

function medians<Part extends Readonly<Record<string, number>>>(parts: readonly Part[]): Part {
  const [first] = parts
  const names = Object.keys(first ?? {})
  return Object.fromEntries(
    names.map((name) => [name, rounded(parts.map((part) => part[name] ?? Number.NaN))]),
  ) as Part
}

function rounded(values: readonly number[]): number {
  return Number(median(values).toPrecision(3))
}

/** Other load on the machine can make a small difference negative. */
function positive(value: number): number {
  return Math.max(0, value)
}
