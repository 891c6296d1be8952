import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { unzipSync } from 'fflate'
import { scratchDirectory, startProcess } from './process.ts'
import { runtimeClient } from './tools.ts'

/** A function of Lambda in a process of its own: an unpacked artefact that AWS's runtime interface client runs. */
export interface LambdaProcess {
  /** Resolves with the function's answer. @throws FunctionError */
  invoke(event: unknown): Promise<unknown>
  /** The end of what the process printed. */
  output(): string
  stop(): Promise<void>
}

export interface PackagedFunction {
  readonly name: string
  /** The path of the zip file. */
  readonly artefact: string
  /** As in the template: the module's path and the export, such as `functions/poller.handler`. */
  readonly handler: string
  readonly environment: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

/** The function reported this error. */
export class FunctionError extends Error {
  constructor({ errorType = 'Error', errorMessage = '' }: { errorType?: string; errorMessage?: string }) {
    super(errorMessage)
    this.name = errorType
  }
}

interface Waiting {
  readonly id: string
  readonly body: string
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

const clients = fileURLToPath(new URL('../../node_modules/@aws-sdk', import.meta.url))
const path = '/2018-06-01/runtime'

export async function startLambda(options: PackagedFunction): Promise<LambdaProcess> {
  const client = await runtimeClient()
  const scratch = scratchDirectory(`lambda-${options.name}`)
  unpack(options.artefact, join(scratch, 'task'))
  provideSdk(join(scratch, 'node_modules/@aws-sdk'))
  const api = await startRuntimeApi(options)
  const part = startProcess({
    name: options.name,
    command: process.execPath,
    args: [join(client, 'index.mjs')],
    env: {
      ...options.environment,
      AWS_LAMBDA_RUNTIME_API: api.address,
      AWS_LAMBDA_FUNCTION_NAME: options.name,
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
      AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${options.name}`,
      AWS_LAMBDA_LOG_STREAM_NAME: 'rig',
      LAMBDA_TASK_ROOT: join(scratch, 'task'),
      _HANDLER: options.handler,
    },
    scratch,
  })
  // A process that dies would never answer.
  const watch = setInterval(() => {
    try {
      part.assertRunning()
    } catch (error) {
      api.fail(error as Error)
    }
  }, 250)
  watch.unref()
  return {
    invoke: api.invoke,
    output: part.output,
    async stop() {
      clearInterval(watch)
      await part.stop()
      await api.stop()
    },
  }
}

function unpack(artefact: string, folder: string): void {
  for (const [name, bytes] of Object.entries(unzipSync(readFileSync(artefact)))) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), bytes)
  }
}

/** Lambda's runtime contains the clients of the SDK. No artefact does. */
function provideSdk(folder: string): void {
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(clients).filter((one) => one.startsWith('client-'))) {
    symlinkSync(join(clients, name), join(folder, name), 'dir')
  }
}

/** Lambda's Runtime API for one function: the client asks for the next event, and posts its answer or error. */
async function startRuntimeApi({ name, timeoutMs }: PackagedFunction) {
  const queue: Waiting[] = []
  const started = new Map<string, Waiting>()
  let asking: ServerResponse | undefined
  let broken: Error | undefined

  const hand = () => {
    const next = asking === undefined ? undefined : queue.shift()
    if (asking === undefined || next === undefined) return
    started.set(next.id, next)
    asking.writeHead(200, {
      'content-type': 'application/json',
      'Lambda-Runtime-Aws-Request-Id': next.id,
      'Lambda-Runtime-Deadline-Ms': String(Date.now() + timeoutMs),
      'Lambda-Runtime-Invoked-Function-Arn': `arn:aws:lambda:eu-central-1:123456789012:function:${name}`,
    })
    asking.end(next.body)
    asking = undefined
  }
  const fail = (error: Error) => {
    broken ??= error
    for (const { reject } of [...started.values(), ...queue.splice(0)]) reject(broken)
    started.clear()
  }

  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString('utf8')
    const [, id = '', kind = ''] =
      new RegExp(`^${path}/invocation/([^/]+)(?:/(\\w+))?$`).exec(request.url ?? '') ?? []
    if (id === 'next') {
      asking = response
      return hand()
    }
    response.statusCode = 202
    response.end('{}')
    if (request.url === `${path}/init/error`) return fail(new FunctionError(JSON.parse(body)))
    const waiting = started.get(id)
    started.delete(id)
    if (kind === 'response') waiting?.resolve(JSON.parse(body))
    else waiting?.reject(new FunctionError(JSON.parse(body)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The Runtime API has no TCP address.')
  return {
    address: `127.0.0.1:${address.port}`,
    fail,
    invoke(event: unknown): Promise<unknown> {
      if (broken !== undefined) return Promise.reject(broken)
      return new Promise((resolve, reject) => {
        queue.push({ id: randomUUID(), body: JSON.stringify(event), resolve, reject })
        hand()
      })
    },
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
