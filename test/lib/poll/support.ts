import { type DynamoDBClient, GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { CheckpointStore } from '../../../lib/checkpoint/store.ts'
import { type Checkpoint, freshPosition, haltOf, type Position } from '../../../lib/checkpoint/types.ts'
import type { Invoke } from '../../../lib/dispatch/invoke.ts'
import { digestOf } from '../../../lib/dts/digest.ts'
import { DtsError, type ErrorCode } from '../../../lib/errors.ts'
import { groupPosition, writeMark } from '../../../lib/kafka/commit-mark.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import type { Fetched, Stream } from '../../../lib/kafka/stream.ts'
import type { PollDependencies } from '../../../lib/poll/dependencies.ts'
import { poll } from '../../../lib/poll/poll.ts'
import { emptySummary } from '../../../lib/poll/summary.ts'
import { ItemTable } from '../../support/item-table.ts'
import type { NewRecord } from '../../support/parts.ts'
import { t0, Writer } from '../../support/records.ts'
import { testConfig } from '../../support/test-config.ts'
import { Clock, quiescence } from '../../support/virtual-clock.ts'

/** A run of the poller on virtual time, with a log and a checkpoint table in this process. */

export const acknowledge: Invoke = async (_name, _batch, events) => ({
  kind: 'acknowledged',
  through: events.at(-1)?.offset ?? null,
  error: null,
})

export const failure = (code: ErrorCode, retryable = true) =>
  new DtsError(code, 'as the test wants it', { retryable })

/** A log of these records. A test overrides the parts that fail. */
export function streamOf(given: readonly NewRecord[], own: Partial<Stream> = {}): Stream {
  const end = BigInt(given.length)
  return {
    topic: 'topic',
    partition: 0,
    clusterId: 'c',
    range: async () => ({ earliest: 0n, end }),
    offsetForTime: async () => 0n,
    fetch: async (from) => slice(given, from, end),
    committed: async () => null,
    commit: async () => {},
    close: async () => {},
    ...own,
  }
}

export function slice(given: readonly NewRecord[], from: bigint, nextOffset: bigint): Fetched {
  const records = LogRecords.of(
    given
      .map(({ value }, index) => ({ offset: BigInt(index), value }))
      .filter(({ offset }) => offset >= from && offset < nextOffset),
  )
  return { records, nextOffset, end: BigInt(given.length), free: () => {} }
}

export function dependencies(
  store: CheckpointStore,
  stream: Stream,
  own: Partial<PollDependencies> = {},
  environment: Readonly<Record<string, string>> = {},
) {
  return {
    config: testConfig({
      DTS_BROKER_URL: 'broker:1',
      DTS_TOPIC: 'topic',
      DTS_GROUP: 'group',
      DTS_CHECKPOINT: String(t0),
      CHECKPOINT_TABLE: 'table',
      HANDLER_TIMEOUT_SECONDS: '1',
      ROUTES: '{"shop.orders":{"function":"orders","attempts":1,"onFailure":"halt"}}',
      ...environment,
    }),
    store,
    openStream: async () => stream,
    invoke: acknowledge,
    putAside: async () => {},
    ...virtualTime(),
    random: () => 0.5,
    owner: 'me',
    signal: new AbortController().signal,
    ...own,
  } satisfies PollDependencies
}

export const startedAt = (t0 + 60) * 1_000

/** Time passes only when everything waits: no work leaves this process. */
export function virtualTime(runMs = 120_000) {
  const clock = new Clock(startedAt)
  let isPassing = false
  const pass = async (): Promise<void> => {
    isPassing = true
    do await quiet()
    while (clock.step())
    isPassing = false
  }
  return {
    now: () => clock.now,
    sleep: (milliseconds: number, signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        if (signal.aborted) return resolve()
        const timer = clock.after(milliseconds, resolve)
        const wake = () => {
          clock.cancel(timer)
          resolve()
        }
        signal.addEventListener('abort', wake, { once: true })
        if (!isPassing) void pass()
      }),
    remainingMs: () => startedAt + runMs - clock.now,
  }
}

/** Resolves when all work that can continue without a timer has run. Some of it takes several turns. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await quiescence()
}

/** A checkpoint table in this process. */
export function freshStore(): CheckpointStore {
  const table = new ItemTable(() => {})
  const send = async (command: unknown): Promise<unknown> => {
    if (command instanceof GetItemCommand) return { Item: table.item }
    if (command instanceof UpdateItemCommand) return table.update(command.input)
    throw new TypeError('The checkpoint store sends a command that this table does not know.')
  }
  return new CheckpointStore({ send } as unknown as DynamoDBClient, 'checkpoints', 'topic', 0)
}

/** A store with a checkpoint that has read `given` up to `offset`. */
export async function readUpTo(
  offset: bigint,
  given: readonly NewRecord[],
  deadLetters: Position['deadLetters'] = { since: 0, count: 0 },
): Promise<CheckpointStore> {
  const store = freshStore()
  const tail = { offset: offset - 1n, digest: digestOf(given[Number(offset) - 1]?.value ?? null) }
  const start = {
    clusterId: 'c',
    position: { ...freshPosition(offset, t0, null, tail), deadLetters },
    replayUntil: null,
    entry: { at: startedAt, by: 'test', how: 'start' },
  }
  await store.release(await store.create(start, 'first', startedAt))
  return store
}

export const held: Invoke = async () => ({
  kind: 'unavailable',
  error: failure('HANDLER_UNAVAILABLE'),
})
export const failed: Invoke = async () => ({ kind: 'failed', error: failure('HANDLER_FAILED') })

export interface RunOptions {
  readonly given?: readonly NewRecord[]
  readonly stream?: Partial<Stream>
  readonly store?: (store: CheckpointStore) => void
  readonly environment?: Readonly<Record<string, string>>
  readonly invoke?: (parts: PollDependencies) => Invoke
  readonly own?: Partial<PollDependencies>
  readonly deadLetters?: Position['deadLetters']
  /** The consumer group has a commit of this generation, so that the run has no reason to introduce it. */
  readonly isIntroduced?: boolean
}

/** One run over ten orders. The first one is done before the run. */
export async function run(options: RunOptions = {}) {
  const { given = new Writer().inserts('shop.orders', 0, 9), environment, own } = options
  const store = await readUpTo(1n, given, options.deadLetters)
  options.store?.(store)
  const stream = streamOf(given, options.stream)
  const parts = dependencies(store, stream, own, environment)
  if (options.isIntroduced) {
    const generation = (await store.read())?.generation ?? 0
    const { deployment } = parts.config
    const metadata = writeMark(deployment, t0, { generation, offset: 1n })
    stream.committed = async () => groupPosition(1n, metadata, deployment)
  }
  const { invoke = () => acknowledge } = options
  const sent: bigint[][] = []
  const recorded: Invoke = async (name, batch, events) => {
    sent.push(events.map(({ offset }) => offset))
    return await invoke(parts)(name, batch, events)
  }
  const summary = emptySummary()
  const thrown = await poll({ ...parts, invoke: recorded }, summary).then(
    (ended) => void Object.assign(summary, ended),
    (error: unknown) => error,
  )
  const tookMs = parts.now() - startedAt
  return { summary, thrown, sent, tookMs, item: await store.read(), now: parts.now }
}

export const haltCode = (item: Checkpoint | null) => (item === null ? null : haltOf(item)?.code)

export const codeOf = (thrown: unknown) => (thrown as { code?: string } | undefined)?.code

export const oneByOne = { ROUTES: '{"shop.orders":{"function":"orders","batchSize":1}}' }
