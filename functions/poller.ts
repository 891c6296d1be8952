import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import { pollConfig } from '../lib/config.ts'
import { type Connections, connections, textStores } from '../lib/connect/clients.ts'
import { handlerClient } from '../lib/connect/handler-client.ts'
import { maskKeyReader } from '../lib/connect/mask-key.ts'
import { JudgedLists } from '../lib/dispatch/column-looks.ts'
import { deadLetterQueue } from '../lib/dispatch/dead-letter.ts'
import { lambdaInvoke } from '../lib/dispatch/invoke.ts'
import type { PollDependencies } from '../lib/poll/dependencies.ts'
import { poll } from '../lib/poll/poll.ts'
import { emptySummary, type PollSummary } from '../lib/poll/summary.ts'
import { Telemetry } from '../lib/poll/telemetry.ts'
import { packagedRoutes } from './packaged-routes.ts'
import { errorWithCommands, ownPartition } from './serverless-commands.ts'

const logger = new Logger({ serviceName: 'poller' })

type Parts = Pick<PollDependencies, 'config' | 'store' | 'openStream' | 'putAside' | 'columns' | 'maskKey'> &
  Pick<Connections, 'passwordNote'>
let parts: Parts | undefined
let telemetry: Telemetry | undefined

/** Made by the first invocation, not at load, so that a wrong configuration is a clear error and not a crash. */
function setUp(): Parts {
  const config = pollConfig(process.env, packagedRoutes())
  const { deadLetterQueueUrl: queueUrl, deadLetterBucket: bucket } = config
  const connected = connections(config)
  const putAside = queueUrl === undefined ? null : deadLetterQueue({ queueUrl, bucket, ...connected })
  const columns = { judged: new JudgedLists(), store: connected.columnStore }
  return { config, ...connected, putAside, columns, maskKey: maskKeyReader(config, textStores) }
}

let current = new AbortController()

/**
 * The schedule invokes it; the event is ignored. Only Lambda's own timeout may end a run early: after middy's early
 * timeout, the run would continue when the function thaws.
 */
export const handler = middy<unknown, PollSummary>({ timeoutEarlyInMillis: 0 })
  .use(injectLambdaContext(logger))
  .handler(async (_event, context) => {
    // A function that was frozen during a run thaws with the next invocation. The old run must end.
    current.abort()
    current = new AbortController()
    telemetry ??= new Telemetry(logger, context.functionName)
    const summary = emptySummary()
    try {
      const ended = await run(summary, context, current.signal)
      telemetry.runEnded(ended, null)
      return ended
    } catch (thrown) {
      const error = errorWithCommands(thrown, ownPartition(process.env))
      telemetry.runEnded(summary, error)
      throw error
    }
  })

async function run(summary: PollSummary, context: Context, signal: AbortSignal): Promise<PollSummary> {
  parts ??= setUp()
  // A new client for each run: a connection kept through a freeze is dead when the function thaws. Without retries, the
  // first invocation on it would have an unknown outcome.
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
