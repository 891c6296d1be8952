import { randomUUID } from 'node:crypto'
import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import { LambdaClient } from '@aws-sdk/client-lambda'
import middy from '@middy/core'
import { pollConfig } from '../lib/config.ts'
import { connections } from '../lib/connect.ts'
import { lambdaInvoke } from '../lib/dispatch/invoke.ts'
import { type PollDependencies, type PollSummary, poll } from '../lib/poll.ts'

const logger = new Logger()

type Parts = Pick<PollDependencies, 'config' | 'store' | 'openStream'>
let parts: Parts | undefined

/** Made by the first invocation, not at load: then a wrong configuration is an error of its own, not a crash. */
function setUp(): Parts {
  const config = pollConfig(process.env)
  return { config, ...connections(config) }
}

/**
 * Made anew for each run: a connection kept through a freeze is dead when the function thaws, and without retries
 * the first invocation on it would count as one whose outcome nobody knows.
 */
function lambdaClient(handlerTimeoutMs: number): LambdaClient {
  return new LambdaClient({
    maxAttempts: 1,
    // Above the handler's own timeout, so that Lambda's answer about it comes first.
    requestHandler: { requestTimeout: handlerTimeoutMs + 10_000, throwOnRequestTimeout: true },
  })
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
    parts ??= setUp()
    const lambda = lambdaClient(parts.config.handlerTimeoutMs)
    const summary = await poll({
      ...parts,
      invoke: lambdaInvoke(lambda),
      now: Date.now,
      remainingMs: () => context.getRemainingTimeInMillis(),
      owner: `${context.awsRequestId}/${randomUUID()}`,
      signal: current.signal,
    }).finally(() => lambda.destroy())
    logger[summary.failures.length > 0 ? 'error' : 'info']('Poll ended', { summary })
    return summary
  })
