import { randomUUID } from 'node:crypto'
import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import { pollConfig } from '../lib/config.ts'
import { connections, probeFunction, textStores } from '../lib/connect/clients.ts'
import { handlerClient } from '../lib/connect/handler-client.ts'
import { maskKeyReader } from '../lib/connect/mask-key.ts'
import { deadLetterSource } from '../lib/dispatch/dead-letter-source.ts'
import { lambdaInvoke } from '../lib/dispatch/invoke.ts'
import { isDtsError, loggedError } from '../lib/errors.ts'
import { type Addressed, readAddress, responsibility } from '../lib/recovery/addressee.ts'
import { withoutChanges } from '../lib/recovery/examine/look.ts'
import {
  parseRecoveryEvent,
  type RecoverDependencies,
  type RecoveryAnswer,
  recover,
} from '../lib/recovery/recover.ts'
import { type ReturnedError, returnedError, splitReply } from '../lib/recovery/reply.ts'
import { printableValue } from '../lib/text/printable.ts'
import { packagedRoutes } from './packaged-routes.ts'
import { answerWithCommands, errorWithCommands } from './serverless-commands.ts'

const logger = new Logger({ serviceName: 'recovery' })

type Parts = Omit<RecoverDependencies, 'now' | 'owner' | 'remainingMs'>
/** By partition; null if one poller reads the stream. */
const partsOf = new Map<number | null, Parts>()

function setUp(partition: number | null): Parts {
  const chosen = partition === null ? {} : { DTS_PARTITION: String(partition) }
  const config = pollConfig({ ...process.env, ...chosen }, packagedRoutes())
  const {
    routes,
    ghostTables,
    handlerTimeoutMs,
    deadLetterQueueUrl: queueUrl,
    deadLetterBucket: bucket,
  } = config
  const connected = connections(config)
  return {
    config,
    routes,
    ghostTables,
    handlerTimeoutMs,
    maskKey: maskKeyReader(config, textStores),
    ...connected,
    invoke: lambdaInvoke(handlerClient(handlerTimeoutMs)),
    functionNames: [...new Set(Object.values(routes).map(({ functionName }) => functionName))],
    probeFunction,
    deadLetters: queueUrl === undefined ? undefined : deadLetterSource({ queueUrl, ...connected }),
    probeBucket:
      bucket === undefined
        ? undefined
        : async () => {
            const { GetObjectCommand } = await import('@aws-sdk/client-s3')
            const client = await connected.s3()
            await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'doctor' }))
          },
  }
}

/** Invoked by hand: `npx serverless invoke -f recovery --data '{"action":"inspect"}'`, or `npm run recovery`. */
export const handler = middy<unknown, RecoveryAnswer | ReturnedError>({ timeoutEarlyInMillis: 0 })
  .use(injectLambdaContext(logger))
  .handler(async (given, context) => {
    const { event, form } = splitReply(given)
    let partition: number | null = null
    try {
      const addressed = readAddress(event, responsibility(process.env))
      partition = addressed.partition
      const answer = await answerTo(addressed, context)
      logger.info('Recovery ended', { answer: withoutRows(answer) })
      return form === 'data' ? answer : answerWithCommands(answer, partition)
    } catch (thrown) {
      const error = errorWithCommands(thrown, partition)
      logger.error('Recovery failed', { ...loggedError(error) })
      if (form === 'data' && isDtsError(thrown)) return returnedError(thrown)
      throw error
    }
  })

/** A log never gets values of rows. */
function withoutRows(answer: RecoveryAnswer): object {
  if (answer.action === 'look') return withoutChanges(answer)
  if (answer.action !== 'letters') return answer
  return { ...answer, letters: answer.letters.map(({ change: _, ...facts }) => facts) }
}

async function answerTo({ event, partition }: Addressed, context: Context): Promise<RecoveryAnswer> {
  const request = parseRecoveryEvent(event)
  const parts = partsOf.get(partition) ?? setUp(partition)
  partsOf.set(partition, parts)
  const answer = await recover(request, {
    ...parts,
    now: Date.now,
    remainingMs: () => context.getRemainingTimeInMillis(),
    owner: `recovery/${context.awsRequestId}/${randomUUID()}`,
  })
  // `serverless invoke` prints the answer to a terminal as it is.
  return printableValue(answer)
}
