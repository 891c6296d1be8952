import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { ColumnStore } from '../../lib/checkpoint/column-store.ts'
import { CheckpointStore } from '../../lib/checkpoint/store.ts'
import { streamName } from '../../lib/connect/clients.ts'
import { pollVariables, streamVariables } from '../environment.ts'
import { namesInFolder } from '../operate/named-sources.ts'
import { namesOf } from '../streams.ts'
import { findTables, type Table } from '../tables.ts'
import { DStore } from './dstore/dstore.ts'
import { createCheckpointTable, localAws, localClient, startDynalite } from './dynalite.ts'
import { startLambdaApi } from './lambda-api.ts'
import { type LocalSource, localSource } from './local-source.ts'
import { startLogged } from './logged-process.ts'
import { ObservationFile } from './observations.ts'
import { freePort } from './ports.ts'
import { type LocalQueues, startQueues } from './queue.ts'
import { tableNames } from './shop.ts'
import { isHandled } from './table-lines.ts'

/** The folder of the service. */
export const root = fileURLToPath(new URL('../..', import.meta.url))
const checkpointTable = 'dts-functions-dev-checkpoint'
const letterQueue = 'dts-functions-dev-dead-letters.fifo'
/** What the names of the functions begin with. */
export const functionPrefix = 'dts-functions-dev-'
/** Local functions mask with it. The secret's name only satisfies the check of the service. */
const localMaskKey = 'the key of masks on this machine'
const startTimeoutMs = 120_000
/** What the process that hosts the functions loads first. */
const loaded = ['./observe.ts', './finish-work.ts']

/** What a function answered: its result, or the error that it ended with. */
export type Answer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string }

/** The whole product on this machine: the emulated DStore, dynalite, and the functions in serverless-offline. */
export interface LocalStack {
  readonly dstore: DStore
  readonly store: CheckpointStore
  readonly columnStore: ColumnStore
  readonly observed: ObservationFile
  /** The messages of the dead-letter queue, oldest first. */
  readonly letters: () => ReturnType<LocalQueues['messages']>
  readonly source: LocalSource
  /** The files of functions/tables for this source, as they were at the start. */
  readonly tables: readonly Table[]
  /** The tables of the shop that files of functions/tables handle. */
  readonly handledTables: readonly string[]
  /** Where serverless-offline and the functions log. */
  readonly logFile: string
  /** Resolves when the process that hosts the functions ends by itself, with what a person must know. */
  readonly hostEnded: Promise<LocalStackError>
  invoke(name: 'poller' | 'recovery', event: unknown): Promise<Answer>
  /** @param keepsLog leaves the log file to the person */
  stop(keepsLog?: boolean): Promise<void>
}

/** The local stack does not work any more. The message is for people; a stack trace would not help them. */
export class LocalStackError extends Error {}

/** Settings of a deployment, in this shell or in a .env file, must not reach the local functions; nor misspelt ones. */
const unset = Object.fromEntries(
  [
    ...streamVariables,
    ...pollVariables,
    ...Object.keys(process.env).filter((name) => /^(DTS|POLL)_/.test(name)),
  ].map((name) => [name, '']),
)

/**
 * @param startTime where the first poll starts, in seconds
 * @param settings further variables of the functions
 * @param firstOffset of the local stream
 * @param asked the source whose handlers run; undefined as `localSource` says
 * @throws DtsError CONFIG_INVALID when the files in functions/tables do not fit together; UsageError if it is unclear which source to run
 */
export async function startStack(
  startTime: number,
  settings: Record<string, string>,
  firstOffset = 0n,
  asked?: string,
): Promise<LocalStack> {
  // serverless would say the same at the end of its own stack trace.
  const names = await namesInFolder(root, 'dev')
  const all = await findTables(join(root, 'functions/tables'), names)
  const source = localSource(asked, names ?? [], all)
  const tables = all.filter((table) => table.source === source.source)
  const folder = mkdtempSync(join(tmpdir(), 'dts-functions-'))
  const logFile = join(folder, 'functions.log')
  const observationPath = join(folder, 'observations.jsonl')
  const dstore = new DStore({ firstOffset })
  const broker = await dstore.start()
  const dynamo = await startDynalite()
  const dynamoClient = new DynamoDBClient(localClient(dynamo.endpoint))
  await createCheckpointTable(dynamoClient, checkpointTable)
  const queues = await startQueues()
  const lambdaPort = await freePort()
  const lambdaUrl = `http://127.0.0.1:${lambdaPort}`
  const lambdaApi = await startLambdaApi(lambdaPort)
  const otherPorts = ['--httpPort', '--albPort', '--websocketPort']
  const ports = await Promise.all(otherPorts.map(async (option) => [option, String(await freePort())]))
  const child = startOffline(logFile, ['--lambdaPort', String(lambdaPort), ...ports.flat()], {
    ...unset,
    ...localAws,
    AWS_ENDPOINT_URL_DYNAMODB: dynamo.endpoint,
    AWS_ENDPOINT_URL_LAMBDA: lambdaApi.endpoint,
    AWS_ENDPOINT_URL_SQS: queues.endpoint,
    DEAD_LETTER_QUEUE_URL: queues.url(letterQueue),
    DTS_BROKER_URL: `${broker.host}:${broker.port}`,
    DTS_TOPIC: dstore.topic,
    DTS_SID: dstore.sid ?? '',
    DTS_USER: dstore.user,
    DTS_PASSWORD: dstore.password,
    MASK_KEY: localMaskKey,
    MASK_KEY_SECRET: 'local',
    MASK_KEY_PARAMETER: '',
    DTS_CHECKPOINT: String(startTime),
    CHECKPOINT_TABLE: checkpointTable,
    LOCAL_SOURCE: source.source,
    ESBUILD_FOLDER: '.esbuild-local',
    LOCAL_OBSERVATION_FILE: observationPath,
    NODE_OPTIONS: loaded.map((name) => `--import=${new URL(name, import.meta.url).href}`).join(' '),
    ...settings,
  })
  const lambda = new LambdaClient({ ...localClient(lambdaUrl), maxAttempts: 1 })
  let isStopping = false
  const hostEnded = once(child, 'exit').then(async (): Promise<LocalStackError> => {
    if (!isStopping) return hostFault(child, logFile)
    return await new Promise(() => {})
  })
  const stop = async (keepsLog = false) => {
    isStopping = true
    await stopChild(child)
    await Promise.all([dstore.stop(), dynamo.stop(), lambdaApi.stop(), queues.stop()])
    dynamoClient.destroy()
    rmSync(keepsLog ? observationPath : folder, { recursive: true, force: true })
  }
  try {
    await waitUntilListening(child, logFile, lambdaUrl)
  } catch (error) {
    await stop()
    throw error
  }
  const stream = streamName({ ...source, topic: dstore.topic })
  return {
    dstore,
    store: new CheckpointStore(dynamoClient, checkpointTable, stream, 0),
    columnStore: new ColumnStore(dynamoClient, checkpointTable, `${stream}/0`),
    observed: new ObservationFile(observationPath),
    letters: () => queues.messages(letterQueue),
    source,
    tables,
    handledTables: tableNames.filter((name) => isHandled(tables, name)),
    logFile,
    hostEnded,
    invoke: (name, event) => invoke(lambda, functionPrefix + namesOf(source)[name], event),
    stop,
  }
}

async function invoke(lambda: LambdaClient, name: string, event: unknown): Promise<Answer> {
  const { FunctionError, Payload } = await lambda.send(
    new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event) }),
  )
  const answer: unknown = JSON.parse(Buffer.from(Payload ?? []).toString('utf8') || 'null')
  if (FunctionError === undefined) return { ok: true, result: answer }
  const { errorType = FunctionError, errorMessage = '' } = answer as {
    errorType?: string
    errorMessage?: string
  }
  return { ok: false, code: errorType, message: errorMessage }
}

function startOffline(logFile: string, ports: string[], environment: Record<string, string>): ChildProcess {
  const serverless = join(root, 'node_modules/serverless/bin/serverless.js')
  const args = [serverless, 'offline', 'start', ...ports, '--host', '127.0.0.1']
  return startLogged(logFile, args, { cwd: root, env: { ...process.env, ...environment } })
}

async function waitUntilListening(child: ChildProcess, logFile: string, url: string): Promise<void> {
  const deadline = Date.now() + startTimeoutMs
  for (;;) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new LocalStackError(`serverless-offline did not start:\n${endOfLog(logFile)}`)
    }
    try {
      await fetch(url)
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

function hostFault({ exitCode, signalCode }: ChildProcess, logFile: string): LocalStackError {
  const how = signalCode === null ? `with code ${exitCode}` : `by ${signalCode}`
  return new LocalStackError(
    `serverless-offline, which hosts the functions, ended ${how}. No function runs any more. The end of its log ` +
      `(${logFile}):\n${endOfLog(logFile)}\nCorrect the handler and run npm start again.`,
  )
}

function endOfLog(logFile: string): string {
  return readFileSync(logFile, 'utf8').slice(-4_000).trim()
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const killer = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await exited
  clearTimeout(killer)
}
