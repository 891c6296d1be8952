import { metricNamespace } from '../lib/poll/telemetry.ts'
import { namesOf, type Stream } from './streams.ts'

export interface DashboardSettings {
  /** The prefix of the names of functions and dashboard. */
  readonly prefix: string
  readonly stream: Pick<Stream, 'source'>
  readonly deadLetterQueue: string
  /** The keys of the stream's table functions. */
  readonly tables: readonly string[]
}

type Metric = readonly [namespace: string, name: string, ...rest: (string | object)[]] | readonly [object]

/** A graph with more lines is unreadable. CloudWatch's own limits (500 metrics of a widget) are far above. */
const mostLines = 20

/** The dashboard of the stream: lag, volume, failures, time. */
export function dashboardOf({ prefix, stream, deadLetterQueue, tables }: DashboardSettings): object {
  const names = namesOf(stream)
  const service = prefix + names.poller
  const own = (name: string): Metric => [metricNamespace, name, 'service', service]
  const ofTables = (name: string): Metric[] =>
    tables.length > mostLines
      ? [[highest(name, service)]]
      : tables.map((key) => [
          metricNamespace,
          name,
          'function',
          prefix + key,
          'service',
          service,
          { label: key },
        ])
  const widgets = [
    widget('Behind the source (s)', 'Maximum', [own('LagSeconds')]),
    widget('Behind the source (records)', 'Maximum', [own('LagRecords')]),
    widget('Reserve until unread changes are lost (s)', 'Minimum', [own('SecondsUntilLoss')]),
    widget('Since the newest record of DTS (s)', 'Maximum', [own('SourceSilentSeconds')]),
    widget('Halted, failed runs, lost leases', 'Sum', ['Halted', 'Failed', 'LeaseLost'].map(own)),
    widget('Records', 'Sum', ['Fetched', 'Handled', 'Skipped', 'Ghosts', 'Retried', 'DeadLettered'].map(own)),
    widget('Dead letters waiting', 'Maximum', [
      ['AWS/SQS', 'ApproximateNumberOfMessagesVisible', 'QueueName', deadLetterQueue],
    ]),
    widget('Handled by function', 'Sum', ofTables('Handled')),
    widget('Not acknowledged by function', 'Sum', ofTables('Retried')),
    widget('Time in a run (ms)', 'Sum', ['FetchTime', 'WaitTime', 'HandlerTime', 'CommitTime'].map(own)),
  ]
  const body = JSON.stringify({
    // The grid is 24 wide: three widgets in a row.
    widgets: widgets.map((one, index) => ({
      ...one,
      x: (index % 3) * 8,
      y: Math.floor(index / 3) * 6,
      width: 8,
      height: 6,
    })),
  })
  return {
    Type: 'AWS::CloudWatch::Dashboard',
    Properties: { DashboardName: `${prefix}${names.prefix}stream`, DashboardBody: { 'Fn::Sub': body } },
  }
}

/** The functions with the highest sums, found when the dashboard is shown. */
function highest(name: string, service: string): object {
  const search = `{${metricNamespace},function,service} MetricName="${name}" service="${service}"`
  return {
    expression: `SORT(SEARCH('${search}', 'Sum', 60), SUM, DESC, ${mostLines})`,
    id: 'highest',
    // `!` keeps CloudFormation from replacing it.
    label: `\${!PROP('Dim.function')}`,
  }
}

function widget(title: string, stat: string, metrics: readonly Metric[]) {
  return {
    type: 'metric',
    properties: { title, stat, metrics, period: 60, view: 'timeSeries', region: `\${AWS::Region}` },
  }
}
