/**
 * The deployed poller in a process: a warm function. The first run starts with the process, and each later one with a call.
 * Says of each run how it ended, and what the process has used.
 */
import './output.ts'
import { handler } from '../../functions/poller.ts'
import type { PollEnd } from '../../lib/poll/summary.ts'
import { context } from '../../test/rig/context.ts'
import { packageRoutes } from '../../test/support/test-config.ts'
import { answerCalls } from '../ground/calls.ts'
import { type Output, output } from './output.ts'
import { type Usage, usage } from './usage.ts'

export interface RunReport extends Usage {
  readonly ended: PollEnd
  /** Records that the run read. */
  readonly fetched: number
  readonly output: Output
}

packageRoutes(process.env.ROUTES)
const runMs = Number(process.env.BENCH_RUN_MS)

async function run(_: null): Promise<RunReport> {
  const deadline = Date.now() + runMs
  const { ended, fetched, failures } = await handler(
    {},
    context('poller', () => deadline - Date.now()),
  )
  if (failures.length > 0) throw new Error(JSON.stringify(failures))
  return { ended, fetched, output: output(), ...usage() }
}

const answers = { run }
export type Poller = typeof answers
answerCalls(answers, { call: 'run', argument: null })
