import { readFileSync } from 'node:fs'
import * as z from 'zod'

const measured = z.number().min(0)

/** What a poller and its functions use, as `npm run bench -- --coefficients` has measured it. */
export const coefficientsSchema = z.strictObject({
  measured: z.strictObject({ date: z.iso.date(), node: z.string(), processor: z.string(), load: measured }),
  /** A run on an idle stream, with the heartbeats of a minute. */
  run: z.strictObject({
    cpuMs: measured,
    brokerRequests: measured,
    dynamoReads: measured,
    dynamoWrites: measured,
    logBytes: measured,
    metrics: measured,
  }),
  /** In addition, for a run that delivers something. */
  work: z.strictObject({ cpuMs: measured, dynamoWrites: measured }),
  /** In addition, for each invocation of a table function. */
  invocation: z.strictObject({
    pollerCpuMs: measured,
    handlerCpuMs: measured,
    /** Log and metrics of the run, for each function that it invoked. */
    logBytes: measured,
    metrics: measured,
  }),
  /** In addition, for each change. */
  change: z.strictObject({ pollerCpuMs: measured, handlerCpuMs: measured, bytes: measured }),
  checkpointBytes: measured,
})
export type Coefficients = z.infer<typeof coefficientsSchema>

export const coefficientsFile = new URL('./coefficients.json', import.meta.url)

export function readCoefficients(): Coefficients {
  return coefficientsSchema.parse(JSON.parse(readFileSync(coefficientsFile, 'utf8')))
}
