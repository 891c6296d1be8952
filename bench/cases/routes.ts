import type { Case } from '../case.ts'
import { cpuPerRecord } from '../ground/ground.ts'
import { measureInTurn } from '../measure.ts'

const counts = [1, 10, 50, 200]
const records = 150_000
const boundMs = 15_000
const nameOf = (count: number) => (count === 1 ? '1 route' : `${count} routes`)

export const routes: Case = {
  title: 'Many routes',
  about: `${records.toLocaleString('en')} records of so many tables in turn, each with a function of its own. A run is ended after
${boundMs / 1000} seconds.`,
  goals: [
    { row: nameOf(200), column: 'of one route', atLeast: 0.6 },
    { row: nameOf(200), column: 'invocations per 100,000 records', atMost: 1_000 },
    { row: nameOf(200), column: 'peak MB', atMost: 160 },
  ],
  async run({ rounds, ground: start }) {
    const ground = await start()
    const variants = counts.map((tables) => ({
      name: nameOf(tables),
      measure: () => ground.measure({ tables, records }, {}, boundMs),
    }))
    return await measureInTurn(variants, rounds, [
      { name: 'records/s', of: ({ recordsPerSecond }) => recordsPerSecond },
      { name: 'of one route', of: ({ recordsPerSecond }) => recordsPerSecond, against: nameOf(1) },
      { name: 'CPU µs per record', of: cpuPerRecord },
      { name: 'invocations per 100,000 records', of: ({ invocationsPer100000 }) => invocationsPer100000 },
      { name: 'peak MB', of: ({ peakMegabytes }) => peakMegabytes },
    ])
  },
}
