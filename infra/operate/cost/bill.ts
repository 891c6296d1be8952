import { alarmsOf } from '../../alarms.ts'
import type { Prices } from './prices.ts'
import type { DayOfUse } from './usage.ts'

/** A line of the bill, for a month. */
export interface Item {
  readonly name: string
  readonly amount: number
  readonly unit: string
  readonly dollars: number
  /** Part of what an always-on consumer would do itself. The rest watches the stream, or calls the handlers. */
  readonly isPolling: boolean
}

export const daysOfMonth = 365 / 12
const million = 1_000_000
const gigabyte = 1024 ** 3

export function billOf(day: DayOfUse, prices: Prices): Item[] {
  const month = (perDay: number) => perDay * daysOfMonth
  const item = (name: string, amount: number, unit: string, price: number, isPolling = false): Item => ({
    name,
    amount,
    unit,
    dollars: amount * price,
    isPolling,
  })
  const { lambdaGbSecond } = prices
  const request = prices.lambdaRequestsPerMillion / million
  const alarms = alarmMetrics()
  return [
    item('Lambda: starts of the poller', month(day.runs), 'invocations', request, true),
    item('Lambda: invocations of table functions', month(day.invocations), 'invocations', request),
    item('Lambda: time of the poller', month(day.pollerGbSeconds), 'GB-seconds', lambdaGbSecond, true),
    item('Lambda: time of table functions', month(day.handlerGbSeconds), 'GB-seconds', lambdaGbSecond),
    item('DynamoDB: reads', month(day.dynamoReads), 'units', prices.dynamoReadsPerMillion / million, true),
    item('DynamoDB: writes', month(day.dynamoWrites), 'units', prices.dynamoWritesPerMillion / million, true),
    item('SQS: dead letters', 0, 'requests', prices.sqsFifoRequestsPerMillion / million),
    item('CloudWatch: logs', month(day.logBytes) / gigabyte, 'GB', prices.logsIngestedPerGb),
    item('CloudWatch: metrics', day.metrics, 'metrics', prices.metricPerMonth),
    item('CloudWatch: alarms', alarms, 'watched metrics', prices.alarmMetricPerMonth),
    item('CloudWatch: dashboard', 1, 'dashboard', prices.dashboardPerMonth),
    item(
      'EventBridge Scheduler',
      month(startsOfDay),
      'starts',
      prices.schedulerStartsPerMillion / million,
      true,
    ),
    item('Secrets Manager', 1, 'secret', prices.secretPerMonth),
  ]
}

/** The schedule starts a run each minute, also while one is at work. */
const startsOfDay = 24 * 60

export function sumOf(items: readonly Item[]): number {
  return items.reduce((sum, { dollars }) => sum + dollars, 0)
}

/** A task that runs all the time: half a processor and 1 GB, without the handlers and what watches it. */
export function alwaysOnDollars({ fargateVcpuHour, fargateGbHour }: Prices): number {
  return (0.5 * fargateVcpuHour + fargateGbHour) * 24 * daysOfMonth
}

/** The metrics that the alarms of a stream watch. CloudWatch charges for each. */
function alarmMetrics(): number {
  const stream = { source: '', partitions: null }
  const alarms = alarmsOf({
    prefix: '',
    stream,
    deadLetterQueue: '',
    thresholds: {},
    topicArn: '',
    email: '',
  })
  return Object.values(alarms).reduce<number>((sum, alarm) => {
    const { Metrics } = (alarm as { Properties: { Metrics?: { MetricStat?: object }[] } }).Properties
    return sum + (Metrics?.filter(({ MetricStat }) => MetricStat !== undefined).length ?? 1)
  }, 0)
}
