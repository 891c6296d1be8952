import { metricNamespace } from '../lib/poll/telemetry.ts'
import { namesOf, pollersOf, type Stream } from './streams.ts'

export interface DashboardSettings {
  /** The prefix of the names of functions and dashboard. */
  readonly prefix: string
  readonly stream: Pick<Stream, 'source' | 'partitions'>
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
  const pollers = pollersOf(stream).map(({ key }) => prefix + key)
  const [service = ''] = pollers
  /** A line for each name: of the only poller, or of all together. */
  const own = (stat: Stat, ...names: string[]): Metric[] =>
    pollers.length === 1
      ? names.map((name) => [metricNamespace, name, 'service', service])
      : names.flatMap((name, index) => together(name, stat, pollers, String.fromCharCode(97 + index)))
  const ofTables = (name: string): Metric[] =>
    tables.length > mostLines || pollers.length > 1
      ? [[highest(name, pollers)]]
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
    widget('Behind the source (s)', 'Maximum', own('Maximum', 'LagSeconds')),
    widget('Behind the source (records)', 'Maximum', own('Maximum', 'LagRecords')),
    widget('Reserve until unread changes are lost (s)', 'Minimum', own('Minimum', 'SecondsUntilLoss')),
    widget('Since the newest record of DTS (s)', 'Maximum', own('Maximum', 'SourceSilentSeconds')),
    widget('Halted, failed runs, lost leases', 'Sum', own('Sum', 'Halted', 'Failed', 'LeaseLost')),
    widget(
      'Records',
      'Sum',
      own('Sum', 'Fetched', 'Handled', 'Skipped', 'Filtered', 'Ghosts', 'Retried', 'DeadLettered'),
    ),
    widget('Dead letters waiting', 'Maximum', [
      ['AWS/SQS', 'ApproximateNumberOfMessagesVisible', 'QueueName', deadLetterQueue],
    ]),
    widget('Handled by function', 'Sum', ofTables('Handled')),
    widget('Not acknowledged by function', 'Sum', ofTables('Retried')),
    widget('Time in a run (ms)', 'Sum', own('Sum', 'FetchTime', 'WaitTime', 'HandlerTime', 'CommitTime')),
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

const expressionOf = { Sum: 'SUM', Maximum: 'MAX', Minimum: 'MIN' } as const
type Stat = keyof typeof expressionOf

/** One line for a metric of several pollers: their sum, or the worst of them. @param letter unique in the graph */
function together(name: string, stat: Stat, pollers: readonly string[], letter: string): Metric[] {
  const ids = pollers.map((_, index) => `${letter}${index}`)
  return [
    ...pollers.map(
      (poller, index): Metric => [
        metricNamespace,
        name,
        'service',
        poller,
        { id: ids[index], visible: false },
      ],
    ),
    [{ expression: `${expressionOf[stat]}([${ids.join(',')}])`, id: letter, label: name }],
  ]
}

/** The functions with the highest sums, found when the dashboard is shown. */
function highest(name: string, pollers: readonly string[]): object {
  const services = pollers.map((poller) => `service="${poller}"`).join(' OR ')
  const chosen = pollers.length === 1 ? services : `(${services})`
  const search = `{${metricNamespace},function,service} MetricName="${name}" ${chosen}`
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
