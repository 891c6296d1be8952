import { randomUUID } from 'node:crypto'
import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import { InvokeCommand } from '@aws-sdk/client-lambda'
import middy from '@middy/core'
import { pollConfig } from '../lib/config.ts'
import { connections, handlerClient, probeClient } from '../lib/connect/clients.ts'
import { deadLetterSource } from '../lib/dispatch/dead-letter-source.ts'
import { lambdaInvoke } from '../lib/dispatch/invoke.ts'
import {
  parseRecoveryEvent,
  type RecoverDependencies,
  type RecoveryAnswer,
  recover,
} from '../lib/recovery/recover.ts'
import { printableValue } from '../lib/text/printable.ts'

const logger = new Logger({ serviceName: 'recovery' })

type Parts = Omit<RecoverDependencies, 'now' | 'owner' | 'remainingMs'>
let parts: Parts | undefined

function setUp(): Parts {
  const config = pollConfig(process.env)
  const { routes, ghostTables, handlerTimeoutMs, deadLetterQueueUrl: queueUrl } = config
  const connected = connections(config)
  const probe = probeClient()
  return {
    config,
    routes,
    ghostTables,
    handlerTimeoutMs,
    ...connected,
    invoke: lambdaInvoke(handlerClient(handlerTimeoutMs)),
    functionNames: [...new Set(Object.values(routes).map(({ functionName }) => functionName))],
    probeFunction: async (name) => {
      await probe.send(new InvokeCommand({ FunctionName: name, InvocationType: 'DryRun' }))
    },
    deadLetters: queueUrl === undefined ? undefined : deadLetterSource({ queueUrl, ...connected }),
  }
}

/** Invoked by hand: `npx serverless invoke -f recovery --data '{"action":"inspect"}'`, or `npm run recovery`. */
export const handler = middy<unknown, RecoveryAnswer>({ timeoutEarlyInMillis: 0 })
  .use(injectLambdaContext(logger))
  .handler(async (event, context) => {
    const request = parseRecoveryEvent(event)
    parts ??= setUp()
    const found = await recover(request, {
      ...parts,
      now: Date.now,
      remainingMs: () => context.getRemainingTimeInMillis(),
      owner: `recovery/${context.awsRequestId}/${randomUUID()}`,
    })
    // `serverless invoke` prints the answer in a terminal.
    const answer = printableValue(found)
    logger.info('Recovery ended', { answer })
    return answer
  })
