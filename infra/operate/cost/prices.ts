import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { UsageError } from '../report.ts'

const price = z.number().min(0)

/** List prices in US dollars. prices.json says of which region, and when they were last compared with which pages. */
const pricesSchema = z.strictObject({
  region: z.string().min(1),
  asOf: z.iso.date(),
  /** The pages that the prices were compared with, by price. */
  sources: z.record(z.string(), z.url()).optional(),
  lambdaRequestsPerMillion: price,
  /** On arm64, below the first volume discount. */
  lambdaGbSecond: price,
  /** On demand: one unit is a consistent read of 4 KB. */
  dynamoReadsPerMillion: price,
  /** On demand: one unit is a write of 1 KB. */
  dynamoWritesPerMillion: price,
  sqsFifoRequestsPerMillion: price,
  logsIngestedPerGb: price,
  metricPerMonth: price,
  /** For each metric that an alarm watches. */
  alarmMetricPerMonth: price,
  dashboardPerMonth: price,
  schedulerStartsPerMillion: price,
  secretPerMonth: price,
  /** Of a task on arm64. */
  fargateVcpuHour: price,
  fargateGbHour: price,
})
export type Prices = z.infer<typeof pricesSchema>

const ownFile = new URL('./prices.json', import.meta.url)

/** @param path a file in the form of prices.json; undefined: prices.json itself. @throws UsageError */
export function readPrices(path?: string): Prices {
  const name = path ?? 'prices.json'
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path ?? ownFile, 'utf8'))
  } catch (error) {
    throw new UsageError(
      `--prices: ${name} cannot be read as JSON (${error instanceof Error ? error.message : error}).`,
    )
  }
  const parsed = pricesSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path: member, message }) =>
    `${member.join('.')} ${message}`.trim(),
  )
  throw new UsageError(`--prices: ${name} has no complete list of prices: ${faults.join('; ')}.`)
}
