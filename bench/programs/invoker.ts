/** Invokes one function many times, with the SDK's client or with the poller's. Says what each took. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { handlerClient } from '../../lib/connect/handler-client.ts'
import { answerCalls } from '../ground/calls.ts'

/** Every invocation sends so many bytes at least, and this many are under way at the same time. */
export interface Invocations {
  readonly client: keyof typeof clients
  readonly functionName: string
  readonly bytes: number
  readonly parallel: number
  readonly count: number
}

const agent = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY }
const requestHandler = {
  requestTimeout: 40_000,
  throwOnRequestTimeout: true,
  httpAgent: agent,
  httpsAgent: agent,
}
const sdk = new LambdaClient({ maxAttempts: 1, requestHandler })
const ours = handlerClient(30_000)

const clients = {
  sdk: async (FunctionName: string, Payload: Buffer) =>
    Buffer.from((await sdk.send(new InvokeCommand({ FunctionName, Payload }))).Payload ?? []),
  ours: async (functionName: string, payload: Buffer) => (await ours.invoke(functionName, payload)).Payload,
}

/** The event of a function that does nothing with it. */
function payloadOf(bytes: number): Buffer {
  const payload = Buffer.allocUnsafeSlow(bytes)
  payload.fill(' ')
  payload.write('{"batchId":"","changes":[]}')
  return payload
}

/** @returns milliseconds of CPU for one invocation */
async function measure({ client, functionName, bytes, parallel, count }: Invocations): Promise<number> {
  const invoke = clients[client]
  const start = process.cpuUsage()
  let left = count
  const lane = async () => {
    while (left-- > 0) JSON.parse((await invoke(functionName, payloadOf(bytes))).toString())
  }
  await Promise.all(Array.from({ length: parallel }, lane))
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1_000 / count
}

const answers = { measure }
export type Invoker = typeof answers
answerCalls(answers)
