import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { z } from 'zod'
import { DtsError, errorCodes } from '../errors.ts'
import type { SendResult } from './strand.ts'
import { acknowledgementSchema, type Batch } from './wire.ts'

export type Invoke = (functionName: string, batch: Batch) => Promise<SendResult>

/** A client whose time-out lies above the handlers' own, so that Lambda's answer about one comes first. */
export function handlerClient(handlerTimeoutMs: number): LambdaClient {
  return new LambdaClient({
    // A retry inside the SDK could run a second copy of a handler whose first copy is still at work.
    maxAttempts: 1,
    requestHandler: { requestTimeout: handlerTimeoutMs + 10_000, throwOnRequestTimeout: true },
  })
}

/**
 * Invokes table functions and waits for their answer.
 * @param client as `handlerClient` makes it
 */
export function lambdaInvoke(client: LambdaClient): Invoke {
  return async (functionName, batch) => {
    let response: { FunctionError?: string | undefined; Payload?: Uint8Array | null | undefined }
    try {
      response = await client.send(
        new InvokeCommand({
          FunctionName: functionName,
          InvocationType: 'RequestResponse',
          // As bytes: a text would be encoded once to be signed and once to be sent.
          Payload: Buffer.from(JSON.stringify(batch)),
        }),
      )
    } catch (cause) {
      return notAnswered(functionName, cause)
    }
    // The SDK gives null, against its types, when the answer has no body.
    const answer = Buffer.from(response.Payload ?? []).toString('utf8')
    if (response.FunctionError !== undefined) {
      return { kind: 'failed', error: handlerFailed(functionName, describeFunctionError(answer)) }
    }
    return readAnswer(functionName, batch, answer)
  }
}

/** Anything but a well-formed acknowledgement of this very batch is a failure, never success. */
export function readAnswer(functionName: string, batch: Batch, answer: string): SendResult {
  let parsed: unknown
  try {
    parsed = JSON.parse(answer)
  } catch {
    return { kind: 'failed', error: handlerFailed(functionName, 'its answer is not JSON') }
  }
  const result = acknowledgementSchema.safeParse(parsed)
  if (!result.success) {
    return { kind: 'failed', error: handlerFailed(functionName, 'its answer is not an acknowledgement') }
  }
  const { batchId, acknowledgedThrough } = result.data
  if (batchId !== batch.batchId) {
    return { kind: 'failed', error: handlerFailed(functionName, 'it acknowledged another batch') }
  }
  if (result.data.refused !== undefined) {
    return {
      kind: 'held',
      error: new DtsError(
        'HANDLER_UNAVAILABLE',
        `The function ${functionName} began so late that the lease could have ended before it, and refused its ` +
          'events. They are sent again; if it happens often, the function starts too slowly, or clocks differ.',
        { retryable: true, facts: { function: functionName } },
      ),
    }
  }
  if (acknowledgedThrough !== null && !batch.offsets.includes(acknowledgedThrough)) {
    return {
      kind: 'failed',
      error: handlerFailed(functionName, 'it acknowledged an offset that it was not sent'),
    }
  }
  if (acknowledgedThrough === null && result.data.failure === undefined) {
    return { kind: 'failed', error: handlerFailed(functionName, 'it did nothing without saying why') }
  }
  const { failure } = result.data
  return {
    kind: 'acknowledged',
    through: acknowledgedThrough === null ? null : BigInt(acknowledgedThrough),
    error: failure === undefined ? null : eventFailed(functionName, failure),
  }
}

const errorAnswer = z.object({ errorType: z.string().optional(), errorMessage: z.string().optional() })

/** Lambda's own, whose messages tell of the function and never of what it was given. */
const platformErrors =
  /^(Sandbox\.\w+|Runtime\.(ExitError|OutOfMemory|ImportModuleError|HandlerNotFound|UserCodeSyntaxError))$/
const ownErrors: ReadonlySet<string> = new Set(errorCodes)

/** The message of any other error may hold a row's value, as when nobody waits for a promise that is rejected. */
function describeFunctionError(answer: string): string {
  try {
    const { errorType = 'Error', errorMessage = 'no message' } = errorAnswer.parse(JSON.parse(answer))
    return ownErrors.has(errorType) || platformErrors.test(errorType)
      ? `${errorType}: ${errorMessage}`
      : `${errorType} was thrown; the function's own log has its message`
  } catch {
    return 'it failed without saying why'
  }
}

/** Status of an answer that the Lambda service gave, so that the handler certainly did not start or has ended. */
const answered = z.object({ $metadata: z.object({ httpStatusCode: z.number() }) })

function notAnswered(functionName: string, cause: unknown): SendResult {
  const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
  const facts = { function: functionName }
  const status = answered.safeParse(cause)
  if (status.success && status.data.$metadata.httpStatusCode < 500) {
    return {
      kind: 'held',
      error: new DtsError(
        'HANDLER_UNAVAILABLE',
        `The function ${functionName} could not be invoked (${reason}). Its events wait: deploy it, ` +
          "or correct the poller's role or its concurrency.",
        { retryable: true, facts, cause },
      ),
    }
  }
  return {
    kind: 'unknown',
    error: new DtsError(
      'HANDLER_UNAVAILABLE',
      `No answer came from the function ${functionName} (${reason}); it may still be running. ` +
        'Its events are sent again after the time in which it must have ended.',
      { retryable: true, facts, cause },
    ),
  }
}

function handlerFailed(functionName: string, reason: string, cause?: unknown): DtsError {
  return new DtsError(
    'HANDLER_FAILED',
    `The function ${functionName} did not handle its events: ${reason}.`,
    {
      retryable: true,
      facts: { function: functionName },
      cause,
    },
  )
}

function eventFailed(
  functionName: string,
  failure: { offset: string; code: string; message: string },
): DtsError {
  return handlerFailed(
    functionName,
    `at offset ${failure.offset} it failed with ${failure.code}: ${failure.message}`,
  )
}
