import { setTimeout as sleep } from 'node:timers/promises'
import type { Case } from '../case.ts'
import type { Ground } from '../ground/ground.ts'
import { figure, measureInTurn, percentile } from '../measure.ts'
import type { Row } from '../result.ts'

const handlerMs = 200
const batchSize = 1_000
const concurrencies = [1, 8]
const slow = (concurrency: number) => `a handler of ${handlerMs} ms, concurrency ${concurrency}`
const atEnd = 'at the end of the stream, one change a second'

/** As many records as the ideal handles in so many seconds. */
const idealSeconds = 4
const boundMs = 15_000
const ideal = (concurrency: number) => (concurrency * batchSize * 1_000) / handlerMs

async function slowHandlers(ground: Ground, rounds: number): Promise<Row[]> {
  const variants = concurrencies.map((concurrency) => ({
    name: slow(concurrency),
    measure: async () => {
      const records = ideal(concurrency) * idealSeconds
      const { recordsPerSecond } = await ground.measure(
        { tables: 1, records },
        { concurrency, delayMs: handlerMs },
        boundMs,
      )
      return { recordsPerSecond, ofIdeal: recordsPerSecond / ideal(concurrency) }
    },
  }))
  return await measureInTurn(variants, rounds, [
    { name: 'records/s', of: ({ recordsPerSecond }) => recordsPerSecond },
    { name: 'of the ideal', of: ({ ofIdeal }) => ofIdeal },
  ])
}

const changesPerRound = 15

/** Milliseconds from the append of a change to the end of its handler, for each change of a round. */
async function delays(ground: Ground): Promise<number[]> {
  return await ground.withStream({ tables: 1, records: 1_000 }, async (stream) => {
    const environment = { POLL_LINGER_SECONDS: '900' }
    const boundMs = (changesPerRound + 5) * 1_000
    const poller = await ground.startPoller(stream, 1, { environment }, boundMs)
    const ended = poller.next()
    // The poller reads the first records and is then at the end of the stream.
    await sleep(3_000)
    await ground.handled()
    const appended: number[] = []
    for (let n = 0; n < changesPerRound; n++) {
      // Not in step with any period of the poller.
      await sleep(900 + ((n * 77) % 200))
      appended.push(await ground.append(stream, n))
    }
    await ended
    await poller.stop()
    const { batches } = await ground.handled()
    return appended.map((at, n) => (batches.find(({ count }) => count > n)?.at ?? Number.NaN) - at)
  })
}

export const latency: Case = {
  title: 'Slow handlers, and the delay of a single change',
  about: `A handler that takes ${handlerMs} ms could at best handle ${batchSize.toLocaleString('en')} records in that time in each of its parallel parts. At the end of
the stream, a change waits for nothing: the last row is the time from the append of a change to the end of its handler, while a
run is under way (\`POLL_LINGER_SECONDS\`). A round has ${changesPerRound} changes, so its p99 is its slowest one.`,
  goals: [{ row: slow(8), column: 'of the ideal', atLeast: 0.8 }],
  async run({ rounds, ground: start }) {
    const ground = await start()
    const rows = await slowHandlers(ground, rounds)
    const ends = []
    for (let round = 0; round < rounds; round++) ends.push(await delays(ground))
    const figures = {
      'p50 ms': figure(ends.map((one) => percentile(one, 0.5))),
      'p99 ms': figure(ends.map((one) => percentile(one, 0.99))),
    }
    return [...rows, { name: atEnd, figures }]
  },
}
