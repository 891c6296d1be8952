import { errorCodeNames } from '../error-code-names.ts'
import { DtsError } from '../errors.ts'
import { freeOwn } from '../kafka/free-memory.ts'
import * as z from '../schema.ts'
import { reasonOf } from '../text/thrown.ts'
import { acknowledgementSchema, type Batch } from './batch-format.ts'
import type { SendResult } from './delivery.ts'
import { countThrough, type RoutedEvent } from './event.ts'
import { cutMessage } from './message.ts'

/** @param events the events of the batch */
export type Invoke = (
  functionName: string,
  batch: Batch,
  events: readonly RoutedEvent[],
) => Promise<SendResult>

/** What Lambda answers: the function's answer, or the kind of its error and a description. */
export interface InvokeAnswer {
  readonly FunctionError?: string | undefined
  readonly Payload: Buffer
}

/** Lambda's Invoke, as `handlerClient` of lib/connect/handler-client.ts makes it: without retries. */
export interface InvokeRequests {
  invoke(functionName: string, payload: Buffer): Promise<InvokeAnswer>
}

/** Invokes table functions and waits for their answer. */
export function lambdaInvoke(requests: InvokeRequests): Invoke {
  return async (functionName, batch, events) => {
    const payload = encode(batch)
    let response: InvokeAnswer
    try {
      response = await requests.invoke(functionName, payload)
    } catch (cause) {
      return notAnswered(functionName, cause)
    }
    const answer = response.Payload.toString('utf8')
    if (response.FunctionError !== undefined) return readFunctionError(functionName, answer)
    const result = readAnswer(functionName, batch, events, answer)
    // An acknowledgement proves that the payload was sent completely. After any other answer, parts of it may still be
    // on their way out.
    if (result.kind === 'acknowledged') freeOwn(payload)
    return result
  }
}

/**
 * The batch in JSON, as bytes: a text would be encoded twice, to sign it and to send it. The data is base64, so no character of it
 * needs an escape or a second byte.
 */
function encode({ data, ...envelope }: Batch): Buffer {
  const head = `${JSON.stringify(envelope).slice(0, -1)},"data":"`
  const headBytes = Buffer.byteLength(head)
  const bytes = Buffer.allocUnsafeSlow(headBytes + data.length + 2)
  bytes.write(head)
  bytes.write(data, headBytes, 'latin1')
  bytes.write('"}', headBytes + data.length, 'latin1')
  return bytes
}

/** Only a well-formed acknowledgement of this batch is a success. Anything else is a failure. */
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
      kind: 'unavailable',
      error: new DtsError(
        'HANDLER_UNAVAILABLE',
        `The function ${functionName} started so late that the lease could have ended before its work, and refused its ` +
          'events. They are sent again. If this happens often, the function starts too slowly, or clocks differ.',
        { retryable: true, facts: { function: functionName } },
      ),
    }
  }
  const through = acknowledgedThrough === null ? null : BigInt(acknowledgedThrough)
  const done = countThrough(events, through)
  if (through !== null && done === 0) {
    return {
      kind: 'failed',
      error: handlerFailed(functionName, 'it acknowledged an offset that it was not sent'),
    }
  }
  const { failure } = result.data
  if (through === null && failure === undefined) {
    return { kind: 'failed', error: handlerFailed(functionName, 'it did nothing and named no reason') }
  }
  const next = events[done]
  if (failure !== undefined && BigInt(failure.offset) !== next?.offset) {
    return {
      kind: 'failed',
      error: handlerFailed(
        functionName,
        `it named offset ${failure.offset} as failed, which does not come right after the last acknowledged offset`,
      ),
    }
  }
  return {
    kind: 'acknowledged',
    through,
    error: failure === undefined ? null : eventFailed(functionName, failure),
  }
}

const errorAnswer = z.object({ errorType: z.optional(z.string()), errorMessage: z.optional(z.string()) })

/** Lambda's own errors. Their messages describe the function and never its event. */
const platformErrors = /^(Sandbox\.\w+|Runtime\.(ExitError|OutOfMemory))$/
const ownErrors: ReadonlySet<string> = new Set(errorCodeNames)

/** Errors of a function that cannot start with any event: its deployment is broken, or does not match the poller's. */
const brokenDeployment =
  /^(CONFIG_INVALID|Runtime\.(ImportModuleError|HandlerNotFound|UserCodeSyntaxError|MalformedHandlerName))$/

function readFunctionError(functionName: string, answer: string): SendResult {
  const { errorType, errorMessage } = parseFunctionError(answer)
  if (brokenDeployment.test(errorType)) {
    return {
      kind: 'unavailable',
      error: new DtsError(
        'HANDLER_UNAVAILABLE',
        `The function ${functionName} cannot start (${errorType}: ${errorMessage}). Its events wait: deploy poller ` +
          'and table functions together.',
        { retryable: true, facts: { function: functionName } },
      ),
    }
  }
  // The message of any other error may contain a row's value, for example an unhandled rejection.
  const reason =
    ownErrors.has(errorType) || platformErrors.test(errorType)
      ? `${errorType}: ${errorMessage}`
      : `it threw ${errorType}; the message is in the function's own log`
  return { kind: 'failed', error: handlerFailed(functionName, reason) }
}

function parseFunctionError(answer: string): { errorType: string; errorMessage: string } {
  try {
    const { errorType = 'Error', errorMessage = 'no message' } = errorAnswer.parse(JSON.parse(answer))
    return { errorType: cutMessage(errorType), errorMessage: cutMessage(errorMessage) }
  } catch {
    return { errorType: 'An unknown error', errorMessage: 'no message' }
  }
}

/** The status of an answer from the Lambda service: the handler did not start, or it has ended. */
const answered = z.object({ $metadata: z.object({ httpStatusCode: z.number() }) })

function notAnswered(functionName: string, cause: unknown): SendResult {
  const reason = cutMessage(reasonOf(cause))
  const facts = { function: functionName }
  const status = answered.safeParse(cause)
  if (status.success && status.data.$metadata.httpStatusCode < 500) {
    return {
      kind: 'unavailable',
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
        'Its events are sent again when it must have ended.',
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
