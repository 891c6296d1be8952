import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import * as z from '../schema.ts'
import { requestLimits } from './clients.ts'
import { type Destination, HttpConnections } from './http-connections.ts'
import { LambdaRefusal } from './lambda-refusal.ts'
import { type Keys, Signer } from './signature.ts'

/** Lambda's answer to Invoke: the function's answer, or the kind of its error and a description. */
export interface FunctionAnswer {
  readonly FunctionError: string | undefined
  readonly Payload: Buffer
}

/** Requests to table functions. */
export interface HandlerClient {
  /**
   * Sends the request once: a repeat could start a second copy of a handler while the first still runs.
   * @throws LambdaRefusal if Lambda answered with an error of its own; any other error if the outcome is unknown
   */
  invoke(functionName: string, payload: Uint8Array): Promise<FunctionAnswer>
  /** Closes the connections. Requests under way fail. */
  destroy(): void
}

/**
 * Its time-out is longer than the handlers', so that Lambda reports a handler's time-out first. Everything is made with the first
 * request: most runs find nothing new.
 */
export function handlerClient(handlerTimeoutMs: number): HandlerClient {
  let opening: Promise<LambdaRequests> | null = null
  const open = async () => new LambdaRequests(await askSdk(), handlerTimeoutMs + 10_000)
  return {
    async invoke(functionName, payload) {
      opening ??= open()
      const opened = opening
      const requests = await opened.catch((error: unknown) => {
        if (opening === opened) opening = null
        throw error
      })
      return await requests.invoke(functionName, payload)
    },
    destroy() {
      opening?.then((requests) => requests.close()).catch(() => {})
    },
  }
}

/** What all Invoke requests have in common. */
interface Target {
  readonly destination: Destination
  /** Before the path of the API; empty unless the endpoint is a proxy. */
  readonly basePath: string
  readonly host: string
  readonly userAgent: string
  readonly region: string
  /** Renews credentials that are about to expire. */
  readonly credentials: () => Promise<Keys>
}

const invocationsPath = (functionName: string) =>
  `/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`

const builtRequest = z.object({
  protocol: z.enum(['http:', 'https:']),
  hostname: z.string(),
  port: z.optional(z.number()),
  path: z.string(),
  headers: z.object({ host: z.string(), 'user-agent': z.string() }),
})

/**
 * Lets the SDK build one request, which is not sent. So profiles, configured endpoints, regions and sources of credentials mean
 * what they mean for every other client.
 */
async function askSdk(): Promise<Target> {
  const client = new LambdaClient(requestLimits)
  let request: unknown
  client.middlewareStack.add(
    () => async (built) => {
      request = built.request
      return { response: undefined, output: { $metadata: {} } }
    },
    // The last ones of this step write host and user agent. Signing and sending follow.
    { step: 'build', priority: 'low' },
  )
  const FunctionName = 'any'
  await client.send(new InvokeCommand({ FunctionName }))
  const { protocol, hostname, port, path, headers } = builtRequest.parse(request)
  return {
    destination: { protocol, hostname, port },
    basePath: path.slice(0, -invocationsPath(FunctionName).length),
    host: headers.host,
    userAgent: headers['user-agent'],
    region: await client.config.region(),
    credentials: client.config.credentials,
  }
}

class LambdaRequests {
  readonly #target: Target
  readonly #connections: HttpConnections
  readonly #signer: Signer
  /** How far AWS's clock is ahead of this machine's. */
  #clockOffsetMs = 0

  constructor(target: Target, limitMs: number) {
    this.#target = target
    this.#connections = new HttpConnections(target.destination, limitMs)
    this.#signer = new Signer(target.region, 'lambda')
  }

  async invoke(functionName: string, body: Uint8Array): Promise<FunctionAnswer> {
    const { host, basePath, userAgent, credentials } = this.#target
    const path = basePath + invocationsPath(functionName)
    const unsigned = {
      method: 'POST',
      path,
      headers: {
        'content-length': String(body.byteLength),
        'content-type': 'application/octet-stream',
        host,
        'x-amz-invocation-type': 'RequestResponse',
      },
      body,
    }
    const now = new Date(Date.now() + this.#clockOffsetMs)
    const headers = this.#signer.sign(unsigned, await credentials(), now)
    headers['user-agent'] = userAgent
    const trace = traceOfThisInvocation()
    if (trace !== undefined) headers['x-amzn-trace-id'] = trace
    const answer = await this.#connections.post({ path, headers, body })
    if (answer.status >= 300) {
      this.#correctClock(answer.headers.date)
      throw new LambdaRefusal(answer)
    }
    return { FunctionError: answer.headers['x-amz-function-error']?.toString(), Payload: answer.body }
  }

  close(): void {
    this.#connections.close()
  }

  /** A wrong clock can be the reason of a refusal: AWS allows five minutes. The next request has the time of the answer. */
  #correctClock(date: string | undefined): void {
    const offsetMs = Date.parse(date ?? '') - Date.now()
    if (!Number.isNaN(offsetMs)) this.#clockOffsetMs = offsetMs
  }
}

/** Connects the traces of poller and table function, and lets Lambda notice functions that invoke each other in a loop. */
function traceOfThisInvocation(): string | undefined {
  const { AWS_LAMBDA_FUNCTION_NAME, _X_AMZN_TRACE_ID } = process.env
  return AWS_LAMBDA_FUNCTION_NAME === undefined ? undefined : _X_AMZN_TRACE_ID || undefined
}
