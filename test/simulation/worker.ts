import { parentPort, workerData } from 'node:worker_threads'
import * as z from 'zod'
import { kinds } from './faults.ts'
import { play } from './world.ts'

const { kind, from, to, step } = z
  .object({ kind: z.enum(kinds), from: z.number(), to: z.number(), step: z.number() })
  .parse(workerData)
// Worlds throw thousands of errors, and stacks are slow. A replay of a failing seed has its stacks.
Error.stackTraceLimit = 0

for (let seed = from; seed < to; seed += step) parentPort?.postMessage(await play(kind, seed))
