import type { Case } from '../case.ts'
import { makeRecords } from '../ground/records.ts'
import { measureInTurn } from '../measure.ts'
import { decodeAll, microseconds } from './in-process.ts'

interface Size {
  readonly name: string
  readonly noteBytes?: number
  readonly records: number
}

/** About the same number of bytes each. */
const kinds: readonly [Size, ...Size[]] = [
  { name: '0.5 KB', records: 200_000 },
  { name: '50 KB', noteBytes: 33_000, records: 2_000 },
  { name: '1,000 KB', noteBytes: 660_000, records: 100 },
]
const small = kinds[0].name
/** An update has two images, so a record is longer than its text. */
const sample = 50

export const sizes: Case = {
  title: 'Large records',
  about: `One text column makes the records large. The first two columns are the decoder alone, with all columns, in one process. The
last two are the CPU of the deployed poller and of its handlers, which ask for three small columns. Each size has about 100 MB
of records.`,
  goals: kinds.slice(1).flatMap(({ name }) => [
    { row: name, column: 'decoding: of small records', atMost: 1.2 },
    { row: name, column: 'whole way: of small records', atMost: 1.2 },
  ]),
  async run({ rounds, ground: start }) {
    const ground = await start()
    const variants = kinds.map(({ name, noteBytes, records }) => {
      const shape = { tables: 1, ...(noteBytes === undefined ? {} : { noteBytes }) }
      const given = makeRecords(shape, sample)
      const givenBytes = given.reduce((sum, { length }) => sum + length, 0)
      const bytes = (givenBytes / sample) * records
      return {
        name,
        measure: async () => {
          const decoding = ((await microseconds(() => decodeAll(given))) * 1_000) / givenBytes
          const measured = await ground.measure({ ...shape, records, distinct: Math.min(records, 2_000) })
          const cpuMs = measured.pollerCpuMs + measured.handlersCpuMs
          return { decoding, whole: (cpuMs * 1e6) / bytes }
        },
      }
    })
    return await measureInTurn(variants, rounds, [
      { name: 'decoding, ns per byte', of: ({ decoding }) => decoding },
      { name: 'decoding: of small records', of: ({ decoding }) => decoding, against: small },
      { name: 'whole way, ns per byte', of: ({ whole }) => whole },
      { name: 'whole way: of small records', of: ({ whole }) => whole, against: small },
    ])
  },
}
