import { parentPort, workerData } from 'node:worker_threads'
import { z } from 'zod'
import { play } from './world.ts'

const { from, to, step } = z.object({ from: z.number(), to: z.number(), step: z.number() }).parse(workerData)
for (let seed = from; seed < to; seed += step) parentPort?.postMessage(await play(seed))
