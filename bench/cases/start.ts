import type { Case } from '../case.ts'
import type { Program } from '../ground/bundle.ts'
import type { Ground } from '../ground/ground.ts'
import { measureInTurn } from '../measure.ts'
import type { Usage } from '../programs/usage.ts'

const now = () => performance.timeOrigin + performance.now()

interface Sample {
  readonly ms: number
  readonly cpuMs: number
}

async function until(ground: Ground, program: Program): Promise<Sample> {
  const startedAt = now()
  const started = ground.startProgram(program, {})
  const { at, cpuMs } = (await started.next()) as Usage & { at: number }
  await started.stop()
  return { ms: at - startedAt, cpuMs }
}

/** Checkpoint and group exist already, as after every pause of the schedule. Only the process is new. */
async function poller(ground: Ground): Promise<Sample> {
  return await ground.withStream({ tables: 1, records: 1_000 }, async (stream) => {
    const first = await ground.startPoller(stream, 1, {}, 10_000)
    await first.next()
    await first.stop()
    await ground.append(stream, 0)
    const startedAt = now()
    const second = await ground.startPoller(stream, 1, {}, 10_000)
    const { cpuMs } = (await second.next()) as Usage
    await second.stop()
    const [batch] = (await ground.handled()).batches
    if (batch === undefined) throw new Error('The second poller handled nothing.')
    return { ms: batch.at - startedAt, cpuMs }
  })
}

async function consumer(ground: Ground): Promise<Sample> {
  const { untilFirstMs, pollerCpuMs } = await ground.measureBaseline({ tables: 1, records: 100 })
  return { ms: untilFirstMs, cpuMs: pollerCpuMs }
}

const bare = 'Node, first statement'
const ours = 'poller, first handled record'

export const start: Case = {
  title: 'From the start of a process to the first handled record',
  about: `A new process, with records waiting. The first rows show what the machine itself needs: for Node alone, and for Node with one read of
DynamoDB with the SDK. The last row is a kafkajs consumer group. Here the group has no other member and the broker does not wait.
Apache Kafka by default waits three seconds for other members (\`group.initial.rebalance.delay.ms\`). The CPU of the last two rows is that of a whole run.`,
  goals: [{ row: ours, column: 'ms', atMost: 200 }],
  async run({ rounds, ground: begin }) {
    const ground = await begin()
    const variants = [
      { name: bare, measure: () => until(ground, 'nothing') },
      { name: 'Node and one GetItem with the SDK', measure: () => until(ground, 'get-item') },
      { name: ours, measure: () => poller(ground) },
      { name: 'kafkajs consumer group, first handled record', measure: () => consumer(ground) },
    ]
    return await measureInTurn(variants, Math.max(rounds, 7), [
      { name: 'ms', of: ({ ms }) => ms },
      { name: 'of Node alone', of: ({ ms }) => ms, against: bare },
      { name: 'CPU ms', of: ({ cpuMs }) => cpuMs },
      { name: 'CPU of Node alone', of: ({ cpuMs }) => cpuMs, against: bare },
    ])
  },
}
