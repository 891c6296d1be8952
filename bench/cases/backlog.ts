import type { Case } from '../case.ts'
import { measureInTurn } from '../measure.ts'

const backlogs = [10_000, 100_000, 1_000_000]
const longest = 10_000_000
const reference = 100_000
const nameOf = (records: number) => `${records.toLocaleString('en')} records`

export const backlog: Case = {
  title: 'Memory with a long backlog',
  about: `The peak memory (resident set) of a poller that starts with so many waiting records of three tables. \`--long\` adds
ten million. The poller's own memory is bounded: 4 MB of records that wait in lanes (32 MB as long as every lane could use more), one
fetch in work and one under way (2 MB each; up to 8 MB of their memory is kept for the next ones), and 64 MB of records that other
functions have handled while one function is unavailable. Between
the rows, V8 enlarges its heap by one step, compiles hot code, and keeps what each run of 100,000 records has made (connections and
clients) until it collects the whole heap.`,
  goals: [{ row: nameOf(1_000_000), column: `of ${nameOf(reference)}`, atMost: 1.05 }],
  async run({ rounds, isLong, ground: start }) {
    const ground = await start()
    const variants = [...backlogs, ...(isLong ? [longest] : [])].map((records) => ({
      name: nameOf(records),
      measure: () => ground.measure({ tables: 3, records }, {}, 600_000),
    }))
    return await measureInTurn(variants, rounds, [
      { name: 'peak MB', of: ({ peakMegabytes }) => peakMegabytes },
      {
        name: `of ${nameOf(reference)}`,
        of: ({ peakMegabytes }) => peakMegabytes,
        against: nameOf(reference),
      },
    ])
  },
}
