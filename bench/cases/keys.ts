import type { Case } from '../case.ts'
import { cpuPerRecord } from '../ground/ground.ts'
import type { RecordShape } from '../ground/records.ts'
import { measureInTurn } from '../measure.ts'

const records = 100_000
/** One record at a time needs minutes for all of them. */
const boundMs = 6_000

const kinds: Readonly<Record<NonNullable<RecordShape['key']>, string>> = {
  number: 'a number as key',
  ascii: 'a key of text in ASCII',
  'beyond-ascii': 'a key of text beyond ASCII',
  none: 'no key',
}
const concurrencies = [1, 8]
const nameOf = (kind: string, concurrency: number) => `${kind}, concurrency ${concurrency}`

export const keys: Case = {
  title: 'Keys and concurrency',
  about: `One table of which a function handles ${concurrencies.join(' or ')} parts in parallel, by primary key. A run is ended after ${boundMs / 1000} seconds.
The handlers take no time, so that parts in parallel cannot make up for the reading of the key: a text costs about a microsecond. \`--case latency\`
has a handler that takes 200 ms.`,
  goals: [
    { row: nameOf(kinds.none, 8), column: 'of concurrency 1', atLeast: 1 },
    { row: nameOf(kinds['beyond-ascii'], 8), column: 'of concurrency 1', atLeast: 1 },
  ],
  async run({ rounds, ground: start }) {
    const ground = await start()
    const variants = (Object.keys(kinds) as (keyof typeof kinds)[]).flatMap((key) =>
      concurrencies.map((concurrency) => ({
        name: nameOf(kinds[key], concurrency),
        measure: () => ground.measure({ tables: 1, key, records }, { concurrency }, boundMs),
      })),
    )
    return await measureInTurn(variants, rounds, [
      { name: 'records/s', of: ({ recordsPerSecond }) => recordsPerSecond },
      {
        name: 'of concurrency 1',
        of: ({ recordsPerSecond }) => recordsPerSecond,
        against: (name) => name.replace(/\d+$/, '1'),
      },
      { name: 'CPU µs per record', of: cpuPerRecord },
      { name: 'invocations per 100,000 records', of: ({ invocationsPer100000 }) => invocationsPer100000 },
    ])
  },
}
