import * as z from 'zod'
import { metricNamespace } from '../lib/poll/telemetry.ts'
import { invalidSetting } from './setting-error.ts'
import { namesOf, type Stream } from './streams.ts'

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
  readonly stream: Pick<Stream, 'source'>
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

/**
 * The alarms of a stream as CloudFormation resources. Without a topic and an address, the alarms exist but notify no person.
 * docs/telemetry.md says what to do at each.
 * @throws DtsError CONFIG_INVALID
 */
export function alarmsOf(settings: AlarmSettings): Record<string, object> {
  const { prefix, deadLetterQueue, topicArn, email } = settings
  const names = namesOf(settings.stream)
  const { lagSeconds, secondsUntilLoss, silentSeconds } = parseThresholds(settings.thresholds)
  const poller = prefix + names.poller
  const actions = [...(topicArn === '' ? [] : [topicArn]), ...(email === '' ? [] : [{ Ref: 'AlarmTopic' }])]
  const alarm = (name: string, description: string, properties: object) => ({
    Type: 'AWS::CloudWatch::Alarm',
    Properties: {
      AlarmName: prefix + names.prefix + name,
      AlarmDescription: description,
      AlarmActions: actions,
      OKActions: actions,
      TreatMissingData: 'notBreaching',
      ...properties,
    },
  })
  const own = (name: string) => ({
    Namespace: metricNamespace,
    MetricName: name,
    Dimensions: [{ Name: 'service', Value: poller }],
  })
  /** One run that raises the metric is enough. */
  const raised = (name: string) => ({
    ...own(name),
    Statistic: 'Maximum',
    Period: 60,
    EvaluationPeriods: 1,
    Threshold: 1,
    ComparisonOperator: 'GreaterThanOrEqualToThreshold',
  })
  const ofLambda = (name: string) => ({
    Namespace: 'AWS/Lambda',
    MetricName: name,
    Dimensions: [{ Name: 'FunctionName', Value: poller }],
    Statistic: 'Sum',
  })
  const query = (id: string, name: string, stat: string) => ({
    Id: id,
    ReturnData: false,
    MetricStat: { Metric: own(name), Period: 300, Stat: stat },
  })
  const alarms = {
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
      ...own('GroupShared'),
      Statistic: 'Maximum',
      Period: 300,
      // A deployment that replaces another one finds the other one's commit once.
      EvaluationPeriods: 3,
      DatapointsToAlarm: 2,
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    }),
    PollerErrorsAlarm: alarm('poller-errors', 'Runs of the poller keep failing.', {
      ...ofLambda('Errors'),
      Period: 60,
      // A run or two fail whenever DTS fails over.
      EvaluationPeriods: 5,
      DatapointsToAlarm: 3,
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
    }),
    PollerNotRunningAlarm: alarm('poller-not-running', 'The poller was not started for ten minutes.', {
      ...ofLambda('Invocations'),
      // A run lasts up to two minutes, and no other start is counted during that time.
      Period: 300,
      EvaluationPeriods: 2,
      Threshold: 1,
      ComparisonOperator: 'LessThanThreshold',
      TreatMissingData: 'breaching',
    }),
    LagAlarm: alarm('lag', `Changes are delivered more than ${lagSeconds} seconds late.`, {
      ...own('LagSeconds'),
      Statistic: 'Minimum',
      Period: 300,
      EvaluationPeriods: 1,
      Threshold: lagSeconds,
      ComparisonOperator: 'GreaterThanThreshold',
    }),
    SourceSilentAlarm: alarm(
      'source-silent',
      `DTS has written no record, not even a heartbeat, for more than ${silentSeconds} seconds: the task has stopped, or is late by that much.`,
      {
        // A plain Kafka topic and a halted stream do not send this metric, so missing data is no alarm.
        ...own('SourceSilentSeconds'),
        Statistic: 'Minimum',
        Period: 300,
        EvaluationPeriods: 1,
        Threshold: silentSeconds,
        ComparisonOperator: 'GreaterThanThreshold',
      },
    ),
    DeadLettersAlarm: alarm('dead-letters', 'Changes are in the dead-letter queue and wait for a redrive.', {
      Namespace: 'AWS/SQS',
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Dimensions: [{ Name: 'QueueName', Value: deadLetterQueue }],
      Statistic: 'Maximum',
      Period: 300,
      EvaluationPeriods: 1,
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      // SQS stops reporting on an unused queue.
      TreatMissingData: 'ignore',
    }),
    LossAlarm: alarm(
      'loss-near',
      `The stream is more than ${lagSeconds} seconds behind, and its position is within ${secondsUntilLoss} seconds of ` +
        'the oldest record that DTS still keeps: unread changes are lost once DTS drops them.',
      {
        // A new task has kept few records, so its reserve is small even if the stream keeps up.
        Metrics: [
          query('lag', 'LagSeconds', 'Minimum'),
          query('reserve', 'SecondsUntilLoss', 'Minimum'),
          { Id: 'near', Expression: `IF(lag > ${lagSeconds} AND reserve < ${secondsUntilLoss}, 1, 0)` },
        ],
        EvaluationPeriods: 1,
        Threshold: 1,
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      },
    ),
  }
  return Object.fromEntries(Object.entries(alarms).map(([id, one]) => [id + names.suffix, one]))
}

function parseThresholds(value: unknown): z.output<typeof thresholdsSchema> {
  const parsed = thresholdsSchema.safeParse(value)
  if (parsed.success) return parsed.data
  throw invalidSetting('alarms', parsed.error)
}
