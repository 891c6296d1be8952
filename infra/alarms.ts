import * as z from 'zod'
import { metricNamespace } from '../lib/poll/telemetry.ts'
import { invalidSetting } from './setting-error.ts'
import { namesOf, pollersOf, type Stream } from './streams.ts'

/** Thresholds of `custom.alarms` in serverless.yml. */
const thresholdsSchema = z.strictObject({
  /**
   * The alarm `lag` fires at this lag in seconds, after five minutes. The default is more than ten missed runs: no failover of
   * DTS takes that long.
   */
  lagSeconds: z.int().min(1).default(900),
  /**
   * The alarm `loss-near` fires when DTS drops unread records within this many seconds. In six hours a person can find and fix
   * the cause.
   */
  secondsUntilLoss: z.int().min(1).default(21_600),
  /**
   * The alarm `source-silent` fires if DTS has written no record for this many seconds, after five minutes. DTS writes a
   * heartbeat about every second. A failover of DTS takes a minute or two.
   */
  silentSeconds: z.int().min(1).default(300),
})

export interface AlarmSettings {
  /** The prefix of the names of functions and alarms. */
  readonly prefix: string
  readonly stream: Pick<Stream, 'source' | 'partitions'>
  readonly deadLetterQueue: string
  readonly thresholds: unknown
  /** The ARN of an SNS topic that receives the alarms; empty: none. */
  readonly topicArn: string
  /** An email address that receives the alarms through a topic of the stack; empty: none. */
  readonly email: string
}

/** The topic for the mails of all alarms; none without an address. */
export function alarmTopic(email: string): Record<string, object> {
  if (email === '') return {}
  return {
    AlarmTopic: {
      Type: 'AWS::SNS::Topic',
      Properties: { Subscription: [{ Protocol: 'email', Endpoint: email }] },
    },
  }
}

/** An alarm may watch ten metrics, and `loss-near` watches two of each poller. */
const pollersPerAlarm = 5

/**
 * The alarms of a stream as CloudFormation resources. Pollers of partitions share alarms, which go off for the worst of them.
 * Without a topic and an address, the alarms exist but notify no person. docs/telemetry.md says what to do at each.
 * @throws DtsError CONFIG_INVALID
 */
export function alarmsOf(settings: AlarmSettings): Record<string, object> {
  const { prefix, stream, deadLetterQueue } = settings
  const thresholds = parseThresholds(settings.thresholds)
  const { suffix } = namesOf(stream)
  const all = pollersOf(stream).map(({ key }) => prefix + key)
  const alarms: Record<string, object> = {
    [`DeadLettersAlarm${suffix}`]: deadLettersAlarm(deadLetterQueue, alarmMaker(settings, '')),
  }
  for (let from = 0; from < all.length; from += pollersPerAlarm) {
    const some = all.slice(from, from + pollersPerAlarm)
    const make = alarmMaker(settings, from === 0 ? '' : `-from-${from}`)
    // Two capitals: no source's name ends an id like this.
    const end = from === 0 ? suffix : `${suffix}PartitionsFrom${from}`
    for (const [id, alarm] of Object.entries(pollerAlarms(some, thresholds, make))) alarms[id + end] = alarm
  }
  return alarms
}

type MakeAlarm = (name: string, description: string, properties: object) => object

/** @param end of the alarms' names */
function alarmMaker({ prefix, stream, topicArn, email }: AlarmSettings, end: string): MakeAlarm {
  const actions = [...(topicArn === '' ? [] : [topicArn]), ...(email === '' ? [] : [{ Ref: 'AlarmTopic' }])]
  return (name, description, properties) => ({
    Type: 'AWS::CloudWatch::Alarm',
    Properties: {
      AlarmName: `${prefix}${namesOf(stream).prefix}${name}${end}`,
      AlarmDescription: description,
      AlarmActions: actions,
      OKActions: actions,
      TreatMissingData: 'notBreaching',
      ...properties,
    },
  })
}

function deadLettersAlarm(queue: string, alarm: MakeAlarm): object {
  return alarm('dead-letters', 'Changes are in the dead-letter queue and wait for a redrive.', {
    Namespace: 'AWS/SQS',
    MetricName: 'ApproximateNumberOfMessagesVisible',
    Dimensions: [{ Name: 'QueueName', Value: queue }],
    Statistic: 'Maximum',
    Period: 300,
    EvaluationPeriods: 1,
    Threshold: 0,
    ComparisonOperator: 'GreaterThanThreshold',
    // SQS stops reporting on an unused queue.
    TreatMissingData: 'ignore',
  })
}

/** A metric of a poller, by the poller's name. */
type MetricOf = (poller: string) => object

const own =
  (name: string): MetricOf =>
  (poller) => ({
    Namespace: metricNamespace,
    MetricName: name,
    Dimensions: [{ Name: 'service', Value: poller }],
  })
const ofLambda =
  (name: string): MetricOf =>
  (poller) => ({
    Namespace: 'AWS/Lambda',
    MetricName: name,
    Dimensions: [{ Name: 'FunctionName', Value: poller }],
  })

function query(id: string, metric: object, stat: string, period: number): object {
  return { Id: id, ReturnData: false, MetricStat: { Metric: metric, Period: period, Stat: stat } }
}

/** What an alarm watches: the metric of the only poller, or the worst of several. A missing value counts as 0 for MIN. */
function worst(
  pollers: readonly string[],
  metric: MetricOf,
  stat: string,
  period: number,
  choose: 'MAX' | 'MIN' = 'MAX',
): object {
  const [only = ''] = pollers
  if (pollers.length === 1) return { ...metric(only), Statistic: stat, Period: period }
  const ids = pollers.map((_, index) => (choose === 'MIN' ? `FILL(m${index}, 0)` : `m${index}`))
  return {
    Metrics: [
      ...pollers.map((poller, index) => query(`m${index}`, metric(poller), stat, period)),
      { Id: 'worst', Expression: `${choose}([${ids.join(', ')}])` },
    ],
  }
}

function lossMetrics(
  pollers: readonly string[],
  condition: (lag: string, reserve: string) => string,
): object[] {
  const metrics = (poller: string, end: string) => [
    query(`lag${end}`, own('LagSeconds')(poller), 'Minimum', 300),
    query(`reserve${end}`, own('SecondsUntilLoss')(poller), 'Minimum', 300),
  ]
  const near = (end: string) => ({ Id: `near${end}`, Expression: condition(`lag${end}`, `reserve${end}`) })
  const [only = ''] = pollers
  if (pollers.length === 1) return [...metrics(only, ''), near('')]
  const ends = pollers.map((_, index) => String(index))
  return [
    ...pollers.flatMap((poller, index) => [
      ...metrics(poller, String(index)),
      { ...near(String(index)), ReturnData: false },
    ]),
    { Id: 'worst', Expression: `MAX([${ends.map((end) => `near${end}`).join(', ')}])` },
  ]
}

/** The alarms about runs and position. */
function pollerAlarms(
  pollers: readonly string[],
  { lagSeconds, secondsUntilLoss, silentSeconds }: z.output<typeof thresholdsSchema>,
  alarm: MakeAlarm,
): Record<string, object> {
  /** One run that raises the metric is enough. */
  const raised = (name: string) => ({
    ...worst(pollers, own(name), 'Maximum', 60),
    EvaluationPeriods: 1,
    Threshold: 1,
    ComparisonOperator: 'GreaterThanOrEqualToThreshold',
  })
  return {
    HaltedAlarm: alarm(
      'halted',
      'The stream is halted: nothing is delivered until a person runs recovery.',
      raised('Halted'),
    ),
    LeaseTooLongAlarm: alarm(
      'lease-too-long',
      'A lease ends years ahead: nothing is delivered until a person breaks it.',
      raised('LeaseTooLong'),
    ),
    GroupSharedAlarm: alarm('group-shared', 'Another deployment uses the same consumer group (sid).', {
      ...worst(pollers, own('GroupShared'), 'Maximum', 300),
      // A deployment that replaces another one finds the other one's commit once.
      EvaluationPeriods: 3,
      DatapointsToAlarm: 2,
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    }),
    ColumnsChangedAlarm: alarm(
      'columns-changed',
      'A table has a new, lost or retyped column. The stream continues: see that its handler needs no change.',
      raised('ColumnsChanged'),
    ),
    PollerErrorsAlarm: alarm('poller-errors', 'Runs of the poller keep failing.', {
      ...worst(pollers, ofLambda('Errors'), 'Sum', 60),
      // A run or two fail whenever DTS fails over.
      EvaluationPeriods: 5,
      DatapointsToAlarm: 3,
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    }),
    PollerNotRunningAlarm: alarm('poller-not-running', 'The poller was not started for ten minutes.', {
      // A run lasts up to two minutes, and no other start is counted during that time.
      ...worst(pollers, ofLambda('Invocations'), 'Sum', 300, 'MIN'),
      EvaluationPeriods: 2,
      Threshold: 1,
      ComparisonOperator: 'LessThanThreshold',
      TreatMissingData: 'breaching',
    }),
    LagAlarm: alarm('lag', `Changes are delivered more than ${lagSeconds} seconds late.`, {
      ...worst(pollers, own('LagSeconds'), 'Minimum', 300),
      EvaluationPeriods: 1,
      Threshold: lagSeconds,
      ComparisonOperator: 'GreaterThanThreshold',
    }),
    SourceSilentAlarm: alarm(
      'source-silent',
      `DTS has written no record, not even a heartbeat, for more than ${silentSeconds} seconds: the task has stopped, or is late by that much.`,
      {
        // A plain Kafka topic and a halted stream do not send this metric, so missing data is no alarm.
        ...worst(pollers, own('SourceSilentSeconds'), 'Minimum', 300),
        EvaluationPeriods: 1,
        Threshold: silentSeconds,
        ComparisonOperator: 'GreaterThanThreshold',
      },
    ),
    LossAlarm: alarm(
      'loss-near',
      `The stream is more than ${lagSeconds} seconds behind, and its position is within ${secondsUntilLoss} seconds of ` +
        'the oldest record that DTS still keeps: unread changes are lost once DTS drops them.',
      {
        // A new task has kept few records, so its reserve is small even if the stream keeps up.
        Metrics: lossMetrics(
          pollers,
          (lag, reserve) => `IF(${lag} > ${lagSeconds} AND ${reserve} < ${secondsUntilLoss}, 1, 0)`,
        ),
        EvaluationPeriods: 1,
        Threshold: 1,
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      },
    ),
  }
}

function parseThresholds(value: unknown): z.output<typeof thresholdsSchema> {
  const parsed = thresholdsSchema.safeParse(value)
  if (parsed.success) return parsed.data
  throw invalidSetting('alarms', parsed.error)
}
