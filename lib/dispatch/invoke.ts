import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { z } from 'zod'
import { DtsError, errorCodes } from '../errors.ts'
import { freeOwn } from '../free.ts'
import { reasonOf } from '../thrown.ts'
import { countThrough, type RoutedEvent } from './event.ts'
import { cutMessage } from './message.ts'
import type { SendResult } from './strand.ts'
import { acknowledgementSchema, type Batch } from './wire.ts'

/** @param events what the batch holds */
export type Invoke = (
  functionName: string,
  batch: Batch,
  events: readonly RoutedEvent[],
) => Promise<SendResult>

/**
 * A request that waits for one of the SDK's 50 connections would use up its time there, and count as one whose outcome
 * nobody knows. How many invocations there are at once, the strands limit.
 */
const agent = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY }

/** A client whose time-out lies above the handlers' own, so that Lambda's answer about one comes first. */
export function handlerClient(handlerTimeoutMs: number): LambdaClient {
  return new LambdaClient({
    // A retry inside the SDK could run a second copy of a handler whose first copy is still at work.
    maxAttempts: 1,
    requestHandler: {
      requestTimeout: handlerTimeoutMs + 10_000,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
  })
}

/**
 * Invokes table functions and waits for their answer.
 * @param client as `handlerClient` makes it
 */
export function lambdaInvoke(client: LambdaClient): Invoke {
  return async (functionName, batch, events) => {
    const payload = encode(batch)
    let response: { FunctionError?: string | undefined; Payload?: Uint8Array | null | undefined }
    try {
      response = await client.send(
        new InvokeCommand({
          FunctionName: functionName,
          InvocationType: 'RequestResponse',
          Payload: payload,
        }),
      )
    } catch (cause) {
      return notAnswered(functionName, cause)
    }
    // The SDK gives null, against its types, when the answer has no body.
    const answer = Buffer.from(response.Payload ?? []).toString('utf8')
    if (response.FunctionError !== undefined) return readFunctionError(functionName, answer)
    const result = readAnswer(functionName, batch, events, answer)
    // Who acknowledges has been sent all of it; after any other answer some may still be on its way out.
    if (result.kind === 'acknowledged') freeOwn(payload)
    return result
  }
}

/** As bytes: a text would be encoded once to be signed and once to be sent. */
function encode(batch: Batch): Buffer {
  const text = JSON.stringify(batch)
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text))
  bytes.write(text)
  return bytes
}

/** Anything but a well-formed acknowledgement of this very batch is a failure, never success. */
export function readAnswer(
  functionName: string,
  batch: Pick<Batch, 'batchId'>,
  events: readonly RoutedEvent[],
  answer: string,
): SendResult {
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
  const through = acknowledgedThrough === null ? null : BigInt(acknowledgedThrough)
  if (through !== null && !events.some(({ offset }) => offset === through)) {
    return {
      kind: 'failed',
      error: handlerFailed(functionName, 'it acknowledged an offset that it was not sent'),
    }
  }
  const { failure } = result.data
  if (through === null && failure === undefined) {
    return { kind: 'failed', error: handlerFailed(functionName, 'it did nothing without saying why') }
  }
  const next = events[countThrough(events, through)]
  if (failure !== undefined && BigInt(failure.offset) !== next?.offset) {
    return {
      kind: 'failed',
      error: handlerFailed(
        functionName,
        `it named offset ${failure.offset} as failed, which does not stand right behind what it acknowledged`,
      ),
    }
  }
  return {
    kind: 'acknowledged',
    through,
    error: failure === undefined ? null : eventFailed(functionName, failure),
  }
}

const errorAnswer = z.object({ errorType: z.string().optional(), errorMessage: z.string().optional() })

/** Lambda's own, whose messages tell of the function and never of what it was given. */
const platformErrors = /^(Sandbox\.\w+|Runtime\.(ExitError|OutOfMemory))$/
const ownErrors: ReadonlySet<string> = new Set(errorCodes)

/** Said by a function that cannot even begin, whatever it is sent: it was deployed broken, or not with this poller. */
const brokenDeployment =
  /^(CONFIG_INVALID|Runtime\.(ImportModuleError|HandlerNotFound|UserCodeSyntaxError|MalformedHandlerName))$/

function readFunctionError(functionName: string, answer: string): SendResult {
  const { errorType, errorMessage } = parseFunctionError(answer)
  if (brokenDeployment.test(errorType)) {
    return {
      kind: 'held',
      error: new DtsError(
        'HANDLER_UNAVAILABLE',
        `The function ${functionName} cannot begin (${errorType}: ${errorMessage}). Its events wait: deploy poller ` +
          'and table functions together.',
        { retryable: true, facts: { function: functionName } },
      ),
    }
  }
  // The message of any other error may hold a row's value, as when nobody waits for a promise that is rejected.
  const reason =
    ownErrors.has(errorType) || platformErrors.test(errorType)
      ? `${errorType}: ${errorMessage}`
      : `${errorType} was thrown; the function's own log has its message`
  return { kind: 'failed', error: handlerFailed(functionName, reason) }
}

function parseFunctionError(answer: string): { errorType: string; errorMessage: string } {
  try {
    const { errorType = 'Error', errorMessage = 'no message' } = errorAnswer.parse(JSON.parse(answer))
    return { errorType: cutMessage(errorType), errorMessage: cutMessage(errorMessage) }
  } catch {
    return { errorType: 'An error that says nothing', errorMessage: 'no message' }
  }
}

/** Status of an answer that the Lambda service gave, so that the handler certainly did not start or has ended. */
const answered = z.object({ $metadata: z.object({ httpStatusCode: z.number() }) })

function notAnswered(functionName: string, cause: unknown): SendResult {
  const reason = cutMessage(reasonOf(cause))
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

function handlerFailed(functionName: string, reason: string): DtsError {
  return new DtsError(
    'HANDLER_FAILED',
    `The function ${functionName} did not handle its events: ${reason}.`,
    { retryable: true, facts: { function: functionName } },
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
