import { randomUUID } from 'node:crypto'
import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import middy from '@middy/core'
import { z } from 'zod'
import { streamConfig } from '../lib/config.ts'
import { type Connections, connections } from '../lib/connect.ts'
import { DtsError } from '../lib/errors.ts'
import {
  type Inspection,
  type RecoveryEvent,
  type ResetResult,
  recover,
  recoveryEventSchema,
} from '../lib/recover.ts'

const logger = new Logger()
let parts: Connections | undefined

/** Invoked by hand: `npx serverless invoke -f recovery --data '{"action":"inspect"}'`. */
export const handler = middy<unknown, Inspection | ResetResult>({ timeoutEarlyInMillis: 0 })
  .use(injectLambdaContext(logger))
  .handler(async (event, context) => {
    const request = parseEvent(event)
    parts ??= connections(streamConfig(process.env))
    const answer = await recover(request, {
      ...parts,
      now: Date.now,
      owner: `recovery/${context.awsRequestId}/${randomUUID()}`,
    })
    logger.info('Recovery ended', { answer })
    return answer
  })

function parseEvent(event: unknown): RecoveryEvent {
  const result = recoveryEventSchema.safeParse(event)
  if (result.success) return result.data
  throw new DtsError(
    'CONFIG_INVALID',
    `The event is not one that recovery knows: ${z.prettifyError(result.error)}. ` +
      'Begin with {"action":"inspect"}; then {"action":"reset"}, with "dryRun":true to look first.',
    { retryable: false },
  )
}
