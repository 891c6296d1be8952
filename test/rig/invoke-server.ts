import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Context } from 'aws-lambda'
import { context } from './context.ts'

/** A function's entry point, as Lambda calls it. */
export type Handler = (event: unknown, context: Context) => Promise<unknown>

/** The outcome of an invocation in place of the handler's answer. */
export type Fault =
  /** Lambda's own error: `status` and an error type such as TooManyRequestsException. The handler does not run. */
  | { readonly kind: 'service'; readonly status: number; readonly type: string }
  /** The function succeeds, or fails, with this text as its payload. The handler does not run. */
  | { readonly kind: 'payload'; readonly text: string; readonly isError?: boolean }
  /** The function fails with this error. The handler does not run. */
  | { readonly kind: 'error'; readonly type: string; readonly message: string }
  /** Like `payload`, but computed from the event, so that an answer can be almost right. */
  | { readonly kind: 'answer'; readonly make: (event: { batchId: string }) => unknown }
  /** The handler runs to its end. Then the connection is cut without an answer. */
  | { readonly kind: 'reply-lost' }

interface Hosted {
  readonly handler: Handler
  timeoutMs: number
  readonly faults: Fault[]
  invocations: number
  faultsFired: number
  timeouts: number
}

/** Lambda's Invoke API over HTTP, served by functions of this process. */
export interface InvokeServer {
  readonly endpoint: string
  /** The function has 30 seconds for an invocation, unless `limit` sets another bound. */
  host(name: string, handler: Handler): void
  limit(name: string, timeoutMs: number): void
  /** The next `times` invocations of `name` meet the fault. A dry run meets a `service` fault without using it up. */
  fail(name: string, fault: Fault, times?: number): void
  /** Removes the faults that `fail` has left. */
  clearFaults(name: string): void
  /** The number of calls of a function, with any outcome, also for unknown names. */
  invocations(name: string): number
  /** Of all functions. */
  readonly total: number
  faultsFired(name: string): number
  /** Resolves when the connections that are open now are closed. */
  disconnected(): Promise<void>
  timeouts(name: string): number
  stop(): Promise<void>
}

export async function startInvokeServer(): Promise<InvokeServer> {
  const functions = new Map<string, Hosted>()
  const unknownNames = new Map<string, number>()
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined)
    })
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.url ?? '')?.[1]
    if (request.method !== 'POST' || name === undefined) {
      return serviceError(response, 404, 'UnknownOperationException', 'This server only knows Invoke.')
    }
    // No iterator: the bench counts this server's time as that of the functions.
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(request, 'end')
    const event: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8') || 'null')
    const hosted = functions.get(name)
    const notFound = () =>
      serviceError(response, 404, 'ResourceNotFoundException', `Function not found: ${name}`)
    const type = request.headers['x-amz-invocation-type'] ?? 'RequestResponse'
    if (type === 'DryRun') {
      if (hosted === undefined) return notFound()
      const [fault] = hosted.faults
      if (fault?.kind === 'service') {
        return serviceError(response, fault.status, fault.type, 'The test requested this fault.')
      }
      response.writeHead(204)
      return void response.end()
    }
    if (hosted === undefined) {
      unknownNames.set(name, (unknownNames.get(name) ?? 0) + 1)
      return notFound()
    }
    if (type !== 'RequestResponse') {
      return serviceError(
        response,
        400,
        'InvalidParameterValueException',
        `This server has no type "${type}".`,
      )
    }
    hosted.invocations += 1
    const fault = hosted.faults.shift()
    if (fault !== undefined) hosted.faultsFired += 1
    switch (fault?.kind) {
      case 'service':
        return serviceError(response, fault.status, fault.type, 'The test requested this fault.')
      case 'payload':
        if (fault.isError) response.setHeader('X-Amz-Function-Error', 'Unhandled')
        return void response.end(fault.text)
      case 'error':
        response.setHeader('X-Amz-Function-Error', 'Unhandled')
        return void response.end(JSON.stringify({ errorType: fault.type, errorMessage: fault.message }))
      case 'answer':
        return void response.end(JSON.stringify(fault.make(event as { batchId: string })))
      case 'reply-lost':
        await run(name, hosted, event)
        return void response.destroy()
      case undefined:
        break
    }
    const { error, payload } = await run(name, hosted, event)
    if (error) response.setHeader('X-Amz-Function-Error', 'Unhandled')
    response.end(payload)
  }

  async function run(
    name: string,
    hosted: Hosted,
    event: unknown,
  ): Promise<{ error: boolean; payload: string }> {
    const deadline = Date.now() + hosted.timeoutMs
    const { promise: timedOut, resolve } = Promise.withResolvers<'timeout'>()
    const timer = setTimeout(resolve, hosted.timeoutMs, 'timeout')
    const call = hosted.handler(
      event,
      context(name, () => deadline - Date.now()),
    )
    // A handler that has timed out may still fail later. That must not become an unhandled rejection.
    call.catch(() => {})
    try {
      const outcome = await Promise.race([call.then((result) => ({ result })), timedOut])
      if (outcome === 'timeout') {
        hosted.timeouts += 1
        const seconds = (hosted.timeoutMs / 1000).toFixed(2)
        const errorMessage = `RequestId: test Error: Task timed out after ${seconds} seconds`
        return { error: true, payload: JSON.stringify({ errorType: 'Sandbox.Timedout', errorMessage }) }
      }
      return { error: false, payload: JSON.stringify(outcome.result ?? null) }
    } catch (thrown) {
      const { name: errorType, message: errorMessage } =
        thrown instanceof Error ? thrown : new Error(`${thrown}`)
      return { error: true, payload: JSON.stringify({ errorType, errorMessage }) }
    } finally {
      clearTimeout(timer)
    }
  }

  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  // A connection stays open until the client closes it.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string')
    throw new Error('The invoke server has no TCP address.')
  const find = (name: string): Hosted => {
    const hosted = functions.get(name)
    if (hosted === undefined) throw new Error(`No function ${name} is hosted.`)
    return hosted
  }
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    host(name, handler) {
      functions.set(name, {
        handler,
        timeoutMs: 30_000,
        faults: [],
        invocations: 0,
        faultsFired: 0,
        timeouts: 0,
      })
    },
    limit(name, timeoutMs) {
      find(name).timeoutMs = timeoutMs
    },
    fail(name, fault, times = 1) {
      find(name).faults.push(...Array.from({ length: times }, () => fault))
    },
    clearFaults(name) {
      find(name).faults.length = 0
    },
    invocations: (name) => functions.get(name)?.invocations ?? unknownNames.get(name) ?? 0,
    get total() {
      const hosted = [...functions.values()].map(({ invocations }) => invocations)
      return [...hosted, ...unknownNames.values()].reduce((sum, count) => sum + count, 0)
    },
    faultsFired: (name) => find(name).faultsFired,
    async disconnected() {
      await Promise.all(
        Array.from(sockets, (socket) => new Promise((resolve) => socket.once('close', resolve))),
      )
    },
    timeouts: (name) => find(name).timeouts,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function serviceError(response: ServerResponse, status: number, type: string, message: string): void {
  response.writeHead(status, { 'x-amzn-ErrorType': type, 'content-type': 'application/json' })
  response.end(JSON.stringify({ Type: status < 500 ? 'User' : 'Server', Message: message }))
}
