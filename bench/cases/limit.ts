import type { Case } from '../case.ts'
import type { Ground } from '../ground/ground.ts'
import { pollWarm, type WarmUse } from '../ground/warm-backlog.ts'
import { measureInTurn, type Variant } from '../measure.ts'
import type { Part, Reader } from '../programs/reader.ts'
import type { OpenStream, StreamShape } from '../programs/services.ts'

/** In the first records, V8 still compiles the code that runs once for each batch. */
const uncounted = 500_000
const shape: StreamShape = { tables: 1, records: uncounted + 700_000, distinct: 30_000 }
/** The cheapest part needs many records to be measured at all. */
const countedRecords: Readonly<Record<Part, number>> = {
  limit: 1_000_000,
  batches: 600_000,
  headers: 600_000,
  decoded: 300_000,
}

/** CPU of one record, in microseconds. */
type Sample = number

async function readPart(ground: Ground, stream: OpenStream, part: Part): Promise<Sample> {
  const reader = ground.startProgram<Reader>('reader', {
    ...stream.environment,
    BENCH_WIRE_BYTES: String(stream.bytes.wire),
  })
  const before = await reader.call('read', { part, records: uncounted })
  const after = await reader.call('read', { part, records: countedRecords[part] })
  await reader.stop()
  return ((after.cpuMs - before.cpuMs) * 1_000) / countedRecords[part]
}

const names: Readonly<Record<Part, string>> = {
  limit: 'limit: bytes from the socket, dropped',
  batches: 'record batches with their CRC',
  headers: 'and the header of each record',
  decoded: 'and 3 of 12 columns',
}
const whole = { poller: 'poller', both: 'poller and handlers' }

export const limit: Case = {
  title: 'The distance to the physical limit',
  about: `CPU per record of about 480 bytes of one table, after ${uncounted.toLocaleString('en')} records that are not counted. The limit is a client
that takes the same Fetch answers from Node's socket and drops them. Nothing that reads the stream can cost
less. Each further row does a part of the poller's work with the same answers. The last two rows are the deployed poller,
and the poller with its handlers' process, which also serves the Invoke API.`,
  goals: [
    { row: whole.poller, column: 'times the limit', atMost: 5 },
    { row: whole.both, column: 'times the limit', atMost: 12 },
  ],
  async run({ rounds, ground: start }) {
    const ground = await start()
    return await ground.withStream(shape, async (stream) => {
      const readers = (Object.keys(names) as Part[]).map(
        (part): Variant<Sample> => ({
          name: names[part],
          measure: () => readPart(ground, stream, part),
        }),
      )
      let last: WarmUse | null = null
      const variants: Variant<Sample>[] = [
        ...readers,
        {
          name: whole.poller,
          measure: async () => {
            last = await pollWarm(ground, shape, uncounted)
            return last.pollerCpuMs * 1_000
          },
        },
        // The same poller as in the row before.
        {
          name: whole.both,
          measure: () => (last === null ? Number.NaN : (last.pollerCpuMs + last.handlerCpuMs) * 1_000),
        },
      ]
      return await measureInTurn(variants, rounds, [
        { name: 'µs per record', of: (sample) => sample },
        { name: 'times the limit', of: (sample) => sample, against: names.limit },
      ])
    })
  },
}
