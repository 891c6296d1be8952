/**
 * Compares the poller with a plain Node consumer (bench/delivery/baseline.ts) on the same Apache Kafka, DynamoDB Local
 * and handlers, in one run: `npm run bench`. Prints absolute figures, then the ratios as one JSON object in the last line.
 */
import '../test/rig/install.ts'
import { Ground, type Measured, type Side } from './delivery/ground.ts'
import { makeRecords, type Shape } from './delivery/records.ts'
import { median } from './median.ts'

const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const throughputRecords = Number(process.env.BENCH_RECORDS ?? 150_000)
const backlogs = [10_000, Number(process.env.BENCH_BACKLOG ?? 1_000_000)] as const
const distinctRecords = 30_000
const sides: readonly Side[] = ['ours', 'baseline']

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const ratio = (value: number) => Number(value.toFixed(2))

/** Records of the stream per second, between the first and the last batch that a handler finished. */
function rate({ handled }: Measured, records: number): number {
  return (records * 1_000) / (handled.lastAt - handled.firstAt)
}

type Results = Readonly<Record<Side, Measured[]>>

async function alternately(measure: (side: Side, round: number) => Promise<Measured>): Promise<Results> {
  const results: Results = { ours: [], baseline: [] }
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) results[side].push(await measure(side, round))
  }
  return results
}

async function throughput(ground: Ground, shape: Shape): Promise<number> {
  const results: Record<Side, Measured[]> = { ours: [], baseline: [] }
  const records = makeRecords(shape, distinctRecords)
  for (let round = 0; round < rounds; round++) {
    const topic = `${shape}-${round}`
    await ground.append(topic, records, throughputRecords)
    for (const side of sides) results[side].push(await ground.measure(side, topic))
  }
  const sums = new Set(
    [...results.ours, ...results.baseline].map(({ handled }) => `${handled.count}/${handled.checksum}`),
  )
  if (sums.size !== 1) throw new Error(`The two sides did not handle the same: ${[...sums].join(' ')}`)
  const of = (side: Side, value: (one: Measured) => number) => median(results[side].map(value))
  const rows = sides.map((side) => [
    side,
    {
      'records/s': whole.format(of(side, (one) => rate(one, throughputRecords))),
      'CPU ms per 10,000': whole.format(of(side, ({ usage }) => (usage.cpuMs * 10_000) / throughputRecords)),
      'CPU ms of handlers': whole.format(
        of(side, ({ handled }) => (handled.cpuMs * 10_000) / throughputRecords),
      ),
      'invocations per 10,000': (
        of(side, ({ handled }) => handled.invocations * 10_000) / throughputRecords
      ).toFixed(1),
      'DynamoDB requests per 10,000': (
        of(side, ({ usage }) => usage.dynamoRequests * 10_000) / throughputRecords
      ).toFixed(1),
      'peak MB': whole.format(of(side, ({ usage }) => usage.peakMegabytes)),
    },
  ])
  console.log(`\n${shape}: ${whole.format(throughputRecords)} records, ${rounds} rounds, medians`)
  console.table(Object.fromEntries(rows))
  // Round by round, so that other load on the machine affects both.
  return median(
    results.ours.map((one, round) => {
      const other = results.baseline[round]
      return other === undefined ? Number.NaN : rate(one, 1) / rate(other, 1)
    }),
  )
}

/** A process that starts with few records waiting, as after every pause of the schedule. */
async function coldStart(ground: Ground): Promise<number> {
  const records = makeRecords('one', 1_000)
  const topics: Readonly<Record<Side, string>> = { ours: 'cold-ours', baseline: 'cold-baseline' }
  for (const side of sides) {
    await ground.append(topics[side], records, 1_000)
    // Group and checkpoint exist already. Only the process is new.
    await ground.measure(side, topics[side])
  }
  const results = await alternately(async (side) => {
    await ground.append(topics[side], records, 100)
    return await ground.measure(side, topics[side])
  })
  const of = (side: Side) => median(results[side].map(({ untilFirstMs }) => untilFirstMs))
  console.log(`\ncold start: process start to first handled record, ${rounds} rounds, medians`)
  console.table(Object.fromEntries(sides.map((side) => [side, { ms: whole.format(of(side)) }])))
  return of('baseline') / of('ours')
}

/** Our peak memory with a long backlog, compared with a short one. */
async function memoryGrowth(ground: Ground): Promise<number> {
  const records = makeRecords('three', distinctRecords)
  const peaks: number[] = []
  for (const backlog of backlogs) {
    const topic = `backlog-${backlog}`
    await ground.append(topic, records, backlog)
    const measured: Measured[] = []
    // A short backlog is measured several times, because one garbage collection more or less changes it.
    for (let round = 0; round < (backlog < 100_000 ? rounds : 1); round++) {
      const name = round === 0 ? topic : `${topic}-${round}`
      if (round > 0) await ground.append(name, records, backlog)
      measured.push(await ground.measure('ours', name))
    }
    peaks.push(median(measured.map(({ usage }) => usage.peakMegabytes)))
  }
  console.log('\nmemory of the poller, by backlog')
  console.table(
    Object.fromEntries(
      backlogs.map((backlog, index) => [
        whole.format(backlog),
        { 'peak MB': whole.format(peaks[index] ?? 0) },
      ]),
    ),
  )
  const [short = Number.NaN, long = Number.NaN] = peaks
  return long / short
}

// The broker's default: the first member of an empty group waits this long for others.
const ground = await Ground.start({ 'group.initial.rebalance.delay.ms': '3000' })
try {
  const one = await throughput(ground, 'one')
  const three = await throughput(ground, 'three')
  const sparse = await throughput(ground, 'sparse')
  const cold = await coldStart(ground)
  const growth = await memoryGrowth(ground)
  console.log(`\nthroughput against the baseline: one table ${ratio(one)}, three tables ${ratio(three)}`)
  console.log(
    JSON.stringify({
      throughput: ratio(Math.min(one, three)),
      sparse: ratio(sparse),
      coldStart: ratio(cold),
      memoryGrowth: ratio(growth),
    }),
  )
} finally {
  await ground.stop()
}
