import type { Case } from '../case.ts'
import type { Measured } from '../ground/ground.ts'
import type { RecordShape } from '../ground/records.ts'
import { measureInTurn } from '../measure.ts'

const records = 100_000
const shapes: Readonly<Record<string, RecordShape>> = {
  'one table': { tables: 1 },
  'three tables': { tables: 3 },
  'one record of ten has a route': { tables: 3, oneRoutedOf: 10 },
}

export const baseline: Case = {
  title: 'Against a plain consumer in Node',
  about: `The baseline is the code that one would write in Node without this project (\`bench/programs/baseline.ts\`): a kafkajs consumer group
with \`eachBatch\`. It decodes the whole record with avsc, sends rows as JSON to the table's function, and writes to DynamoDB once for
each batch. Both do the same work with the same ${records.toLocaleString('en')} records, and the bench compares a sum over all handled rows. CPU includes the
start of the process.`,
  goals: [
    { row: 'poller: one table', column: 'of the baseline', atLeast: 3 },
    { row: 'poller: three tables', column: 'of the baseline', atLeast: 3 },
  ],
  async run({ rounds, ground: start }) {
    const ground = await start()
    const sums = new Map<string, string>()
    const checked = (name: string, sample: Measured): Measured => {
      const sum = `${sample.handled.count}/${sample.handled.checksum}`
      const other = sums.get(name)
      if (other !== undefined && other !== sum)
        throw new Error(`${name}: one side handled ${other}, the other ${sum}.`)
      sums.set(name, sum)
      return sample
    }
    const variants = Object.entries(shapes).flatMap(([name, shape]) => [
      {
        name: `baseline: ${name}`,
        measure: async () => checked(name, await ground.measureBaseline({ ...shape, records })),
      },
      {
        name: `poller: ${name}`,
        measure: async () => checked(name, await ground.measure({ ...shape, records })),
      },
    ])
    return await measureInTurn(variants, rounds, [
      { name: 'records/s', of: (sample) => (sample.recordsPerSecond * records) / sample.handled.count },
      {
        name: 'of the baseline',
        of: ({ recordsPerSecond }) => recordsPerSecond,
        against: (name) => name.replace('poller', 'baseline'),
      },
      { name: 'CPU µs per record', of: ({ pollerCpuMs }) => (pollerCpuMs * 1_000) / records },
      { name: 'CPU µs of handlers', of: ({ handlersCpuMs }) => (handlersCpuMs * 1_000) / records },
      { name: 'peak MB', of: ({ peakMegabytes }) => peakMegabytes },
      { name: 'requests to DynamoDB', of: ({ requests }) => requests.dynamo },
    ])
  },
}
