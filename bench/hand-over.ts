/**
 * `node infra/run.mjs node bench/hand-over.ts [--minutes N]`: the delay of changes at the end of a stream, over several scheduled
 * starts, with hand-over and without it. Both modes run side by side in the same minutes. No case of the bench, because a round takes
 * minutes: docs/deploy.md has its result.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Caller } from './ground/calls.ts'
import { Ground } from './ground/ground.ts'
import { percentile } from './measure.ts'
import { formatTable } from './print.ts'
import type { Poller, RunReport } from './programs/poller.ts'

interface Mode {
  readonly name: string
  readonly environment: Readonly<Record<string, string>>
  /** No invocation starts in a run after so many milliseconds. */
  readonly boundMs: number
}

/** The period of the schedule, in milliseconds. */
const periodMs = 60_000
/** On average between two changes, in milliseconds. */
const changeEveryMs = 250
/** The timeouts of infra/stream-functions.ts, less the worst case of an invocation. */
const modes: readonly Mode[] = [
  { name: 'POLL_LINGER_SECONDS=55', environment: { POLL_LINGER_SECONDS: '55' }, boundMs: 75_000 },
  { name: 'POLL_HANDOVER=true', environment: { POLL_HANDOVER: 'true' }, boundMs: 195_000 },
]

/** The function's environments: each run takes one that is free. */
class Schedule {
  readonly #start: () => Promise<Caller<Poller>>
  readonly #free: Caller<Poller>[] = []
  readonly #runs: Promise<void>[] = []
  readonly ended: RunReport['ended'][] = []

  constructor(start: () => Promise<Caller<Poller>>) {
    this.#start = start
  }

  run(): void {
    const warm = this.#free.pop()
    const running = async () => {
      const poller = warm ?? (await this.#start())
      const report = warm === undefined ? await poller.next() : await poller.call('run', null)
      this.ended.push((report as RunReport).ended)
      this.#free.push(poller)
    }
    this.#runs.push(running())
  }

  async stop(): Promise<void> {
    await Promise.all(this.#runs)
    await Promise.all(this.#free.map((poller) => poller.stop()))
  }
}

/** The delays in milliseconds, from the append of a change to the end of its handler, and how often runs handed over. */
async function measure({ environment, boundMs }: Mode, minutes: number) {
  const ground = await Ground.start(null)
  try {
    return await ground.withStream({ tables: 1, records: 1_000 }, async (stream) => {
      const schedule = new Schedule(() => ground.startPoller(stream, 1, { environment }, boundMs))
      // Two environments start before the measurement, because the start of one forgets what handlers did.
      for (let n = 0; n < 2; n++) {
        schedule.run()
        await sleep(4_000)
      }
      const appended: number[] = []
      const batches: { readonly at: number; readonly count: number }[] = []
      const take = async () => {
        const before = batches.at(-1)?.count ?? 0
        const taken = await ground.handled()
        for (const { at, count } of taken.batches) batches.push({ at, count: before + count })
      }
      await ground.handled()
      const startedAt = performance.now()
      for (let minute = 1; minute <= minutes; minute++) {
        while (performance.now() < startedAt + minute * periodMs) {
          appended.push(await ground.append(stream, appended.length))
          await sleep(changeEveryMs / 2 + ((appended.length * 77) % changeEveryMs))
        }
        await take()
        schedule.run()
      }
      await schedule.stop()
      await take()
      const delays = appended.map((at, n) => (batches.find(({ count }) => count > n)?.at ?? Number.NaN) - at)
      return { delays, ended: schedule.ended }
    })
  } finally {
    await ground.stop()
  }
}

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '4' } } })
const results = await Promise.all(modes.map((mode) => measure(mode, Number(values.minutes))))
const rows = modes.map(({ name }, index) => {
  const { delays = [], ended = [] } = results[index] ?? {}
  const one = (value: number) => ({ median: Math.round(value), low: value, high: value })
  return {
    name,
    figures: {
      changes: one(delays.length),
      'p50 ms': one(percentile(delays, 0.5)),
      'p99 ms': one(percentile(delays, 0.99)),
      'worst ms': one(Math.max(...delays)),
      'hand-overs': one(ended.filter((why) => why === 'handed-over').length),
    },
  }
})
console.log(formatTable(rows))
