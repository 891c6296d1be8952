import type { Case } from '../case.ts'
import type { Ground } from '../ground/ground.ts'
import { measureInTurn } from '../measure.ts'
import type { GetItem } from '../programs/get-item.ts'

const warmRuns = 20
const runs = 50
const reads = 500

interface Sample {
  readonly cpuMs: number
  readonly ms: number
  readonly dynamo: number
  readonly broker: number
}

async function idlePolls(ground: Ground): Promise<Sample> {
  return await ground.withStream({ tables: 1, records: 100 }, async (stream) => {
    const poller = await ground.startPoller(stream, 1, {}, 60_000)
    await poller.next()
    let before = await poller.call('run', null)
    for (let run = 1; run < warmRuns; run++) before = await poller.call('run', null)
    const requests = await ground.requests(stream)
    const startedAt = performance.now()
    let after = before
    for (let run = 0; run < runs; run++) after = await poller.call('run', null)
    const ms = performance.now() - startedAt
    const { dynamo, broker } = await ground.requests(stream)
    await poller.stop()
    return {
      cpuMs: (after.cpuMs - before.cpuMs) / runs,
      ms: ms / runs,
      dynamo: (dynamo - requests.dynamo) / runs,
      broker: (broker - requests.broker) / runs,
    }
  })
}

async function singleReads(ground: Ground): Promise<Sample> {
  const program = ground.startProgram<GetItem>('get-item', {})
  await program.next()
  const before = await program.call('get', reads)
  const startedAt = performance.now()
  const after = await program.call('get', reads)
  const ms = performance.now() - startedAt
  await program.stop()
  return { cpuMs: (after.cpuMs - before.cpuMs) / reads, ms: ms / reads, dynamo: 1, broker: 0 }
}

const one = 'one GetItem with the SDK'

export const idle: Case = {
  title: 'A poll of an idle stream',
  about: `The most common run of all: a warm poller that finds nothing new, ${runs} times in a row, after ${warmRuns} that are not counted. For scale, the first
row is one read of DynamoDB with the SDK, from a warm process.`,
  goals: [],
  async run({ rounds, ground: start }) {
    const ground = await start()
    const variants = [
      { name: one, measure: () => singleReads(ground) },
      { name: 'one poll', measure: () => idlePolls(ground) },
    ]
    return await measureInTurn(variants, rounds, [
      { name: 'CPU ms', of: ({ cpuMs }) => cpuMs },
      { name: 'of one GetItem', of: ({ cpuMs }) => cpuMs, against: one },
      { name: 'ms', of: ({ ms }) => ms },
      { name: 'requests to DynamoDB', of: ({ dynamo }) => dynamo },
      { name: 'requests to the broker', of: ({ broker }) => broker },
    ])
  },
}
