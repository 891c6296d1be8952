import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import type { S3Client } from '@aws-sdk/client-s3'
import type { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import { pollConfig } from '../lib/config.ts'
import { type Connections, connections, requestLimits } from '../lib/connect.ts'
import { deadLetterQueue } from '../lib/dispatch/dead-letter.ts'
import { handlerClient, lambdaInvoke } from '../lib/dispatch/invoke.ts'
import { type PollDependencies, poll } from '../lib/poll.ts'
import { emptySummary, type PollSummary } from '../lib/summary.ts'
import { Telemetry } from '../lib/telemetry.ts'

const logger = new Logger({ serviceName: 'poller' })

type Parts = Pick<PollDependencies, 'config' | 'store' | 'openStream' | 'putAside'> &
  Pick<Connections, 'passwordNote'>
let parts: Parts | undefined
let telemetry: Telemetry | undefined

/** Made by the first invocation, not at load: then a wrong configuration is an error of its own, not a crash. */
function setUp(): Parts {
  const config = pollConfig(process.env)
  const { deadLetterQueueUrl: queueUrl, deadLetterBucket: bucket } = config
  let sqs: SQSClient | undefined
  let s3: S3Client | undefined
  const clients = {
    sqs: async () => (sqs ??= new (await import('@aws-sdk/client-sqs')).SQSClient(requestLimits)),
    s3: async () => (s3 ??= new (await import('@aws-sdk/client-s3')).S3Client(requestLimits)),
  }
  const putAside = queueUrl === undefined ? null : deadLetterQueue({ queueUrl, bucket, ...clients })
  return { config, ...connections(config), putAside }
}

let current = new AbortController()

/**
 * Run by the schedule; what the event says is not looked at. Lambda's own timeout ends a run for good; middy's early
 * one would leave it to go on when the function thaws.
 */
export const handler = middy<unknown, PollSummary>({ timeoutEarlyInMillis: 0 })
  .use(injectLambdaContext(logger))
  .handler(async (_event, context) => {
    // A function that was frozen in the middle of a run thaws with the next invocation: the old run must end.
    current.abort()
    current = new AbortController()
    telemetry ??= new Telemetry(logger, context.functionName)
    const summary = emptySummary()
    try {
      const ended = await run(summary, context, current.signal)
      telemetry.runEnded(ended, null)
      return ended
    } catch (error) {
      telemetry.runEnded(summary, error)
      throw error
    }
  })

async function run(summary: PollSummary, context: Context, signal: AbortSignal): Promise<PollSummary> {
  parts ??= setUp()
  // Made anew for each run: a connection kept through a freeze is dead when the function thaws, and without retries
  // the first invocation on it would count as one whose outcome nobody knows.
  const lambda = handlerClient(parts.config.handlerTimeoutMs)
  const dependencies: PollDependencies = {
    ...parts,
    invoke: lambdaInvoke(lambda),
    now: Date.now,
    random: Math.random,
    sleep: (milliseconds, stopped) =>
      setTimeout(milliseconds, undefined, { signal: stopped }).catch(() => {}),
    remainingMs: () => context.getRemainingTimeInMillis(),
    owner: `${context.awsRequestId}/${randomUUID()}`,
    signal,
  }
  try {
    return await poll(dependencies, summary)
  } finally {
    lambda.destroy()
    const note = parts.passwordNote()
    if (note !== null) logger.warn(note)
  }
}
