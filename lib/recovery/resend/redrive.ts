import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import type { DeadLetter } from '../../dispatch/dead-letter.ts'
import type { DeadLetterSource, Received } from '../../dispatch/dead-letter-source.ts'
import { RoutedEvent } from '../../dispatch/event.ts'
import { DtsError } from '../../errors.ts'
import { LogRecords } from '../../kafka/records.ts'
import { recoveryCommand } from '../../recovery-command.ts'
import { mayInvoke, type SendDependencies, sendOnce } from './send.ts'

export const redriveSchema = z.strictObject({
  action: z.literal('redrive'),
  /** Only dead letters of this table; all when left out. */
  table: z.string().min(1).optional(),
  /** The most to take. */
  max: z.int().min(1).max(1_000).default(100),
  dryRun: z.boolean().default(false),
})

export interface RedriveResult {
  readonly action: 'redrive'
  /** What was found, oldest first of each function; a dry run shows the head of each function's letters only. */
  readonly letters: readonly {
    readonly table: string
    readonly function: string
    readonly offset: string
    readonly generation: number
    readonly at: string
    readonly attempts: number
    readonly error: string
    readonly outcome: 'redriven' | 'failed' | 'left' | 'listed'
  }[]
  readonly redriven: number
  /** How many wait in the queue now, of all tables and functions; about, as queues count. */
  readonly left: number
  /** What the functions failed with that failed again. */
  readonly error: string | null
  /** What keeps letters in the queue that were asked for, and what to do about it. */
  readonly notes: readonly string[]
}

interface RedriveDependencies extends SendDependencies {
  readonly deadLetters: DeadLetterSource
}

/**
 * Sends dead letters to their handler again, in their order, and deletes each one that is acknowledged. The first
 * that fails again ends its function's turn: what stands behind it keeps its place. Other functions go on.
 * @throws DtsError DEAD_LETTER_FAILED when the queue cannot be read
 */
export async function redrive(
  { table, max, dryRun }: z.output<typeof redriveSchema>,
  dependencies: RedriveDependencies,
): Promise<RedriveResult> {
  const { deadLetters } = dependencies
  const letters: Letter[] = []
  const unreadable: Received[] = []
  /** Functions whose turn has ended, and what ended it. The function null: records that could not be read. */
  const ended = new Map<string | null, DtsError | null>()
  const count = (outcome: Letter['outcome']) => letters.filter((letter) => letter.outcome === outcome).length
  for (;;) {
    const room = max - count('redriven') - count('failed')
    const isOfTable = (letter: DeadLetter) => table === undefined || letter.table === table
    const isWanted = (letter: DeadLetter) => !ended.has(letter.functionName) && isOfTable(letter)
    const { items, others } = await deadLetters.receive(room, isWanted)
    const round = dryRun ? await listed(items, deadLetters) : await redriveRound(items, ended, dependencies)
    letters.push(...round)
    unreadable.push(...items.filter(({ letter }) => letter.functionName === null))
    const redriven = count('redriven')
    const isTried = round.some(({ outcome }) => outcome === 'redriven' || outcome === 'failed')
    // The queue gives out a function's next letters once those in hand are gone.
    if (isTried && redriven + count('failed') < max) continue
    const inFront = others.filter((letter) => !ended.has(letter.functionName))
    return {
      action: 'redrive',
      letters,
      redriven,
      left: await deadLetters.count(),
      error: [...ended.values()].flatMap((error) => error?.message ?? []).join(' ') || null,
      notes: [...standInFront(inFront, table), ...unreadable.map(byHand)],
    }
  }
}

/** A queue with one group per function gives out a table's letters only when those before them are gone. */
function standInFront(others: readonly DeadLetter[], table: string | undefined): string[] {
  const counts = Map.groupBy(others, ({ functionName }) => functionName)
  return [...counts].map(
    ([functionName, { length }]) =>
      `${length} letters of other tables of ${functionName ?? 'no function'} stand in front, and the queue does not give ` +
      `out what may stand behind them of ${table}: redrive those first, without a table: ` +
      recoveryCommand('{"action":"redrive"}'),
  )
}

/** Without a table there is no handler that it could be sent to. */
function byHand({ letter: { topic, partition, offset, error }, messageId }: Received): string {
  return (
    `The record at offset ${offset} of ${topic}/${partition} could not be read (${error.code}), so that no redrive takes it. ` +
    `Its bytes are in the "raw" of message ${messageId}, or in the bucket that it names: see by hand what they change, then ` +
    'delete that message (SQS console, "Send and receive messages"); left alone it goes after 14 days.'
  )
}

type Letter = RedriveResult['letters'][number]

async function listed(items: readonly Received[], deadLetters: DeadLetterSource): Promise<Letter[]> {
  await deadLetters.giveBack(items)
  return items.map(({ letter }) => describe(letter, 'listed'))
}

/** What the queue gave out at once. @param ended gets the functions whose turn ends here */
async function redriveRound(
  items: readonly Received[],
  ended: Map<string | null, DtsError | null>,
  dependencies: RedriveDependencies,
): Promise<Letter[]> {
  const outcomes = new Map<Received, Letter['outcome']>()
  try {
    for (const item of items) {
      const { functionName } = item.letter
      if (functionName === null) ended.set(functionName, null)
      if (functionName === null || ended.has(functionName) || !mayInvoke(dependencies)) {
        outcomes.set(item, 'left')
        continue
      }
      const error = await redriveOne(item, functionName, dependencies)
      outcomes.set(item, error === null ? 'redriven' : 'failed')
      if (error !== null) ended.set(functionName, error)
    }
  } finally {
    // What stays in the queue is visible again at once, not after the time-out.
    await dependencies.deadLetters.giveBack(items.filter((item) => outcomes.get(item) !== 'redriven'))
  }
  return items.map((item) => describe(item.letter, outcomes.get(item) ?? 'left'))
}

/** @returns what it failed with; null when it is done */
async function redriveOne(
  item: Received,
  functionName: string,
  dependencies: RedriveDependencies,
): Promise<DtsError | null> {
  const { letter } = item
  const { topic, partition, clusterId, generation, table, offset } = letter
  const origin = { topic, partition, clusterId, generation, replayUntil: Number.MAX_SAFE_INTEGER }
  try {
    const value = await bytesOf(letter, dependencies.deadLetters)
    const events = [new RoutedEvent(LogRecords.of([{ offset: BigInt(offset), value }]), 0, table)]
    const { done, error } = await sendOnce(functionName, events, origin, dependencies)
    if (done === 0)
      return (
        error ??
        new DtsError('HANDLER_FAILED', `${functionName} did not acknowledge it.`, { retryable: true })
      )
    await dependencies.deadLetters.remove(item)
    return null
  } catch (error) {
    if (error instanceof DtsError) return error
    throw error
  }
}

async function bytesOf({ raw }: DeadLetter, deadLetters: DeadLetterSource): Promise<Buffer> {
  return typeof raw === 'string' ? Buffer.from(raw, 'base64') : gunzipSync(await deadLetters.load(raw))
}

function describe(letter: DeadLetter, outcome: Letter['outcome']): Letter {
  const { table, functionName, offset, generation, at, attempts, error } = letter
  return {
    table,
    function: functionName ?? '',
    offset,
    generation,
    at,
    attempts,
    error: `${error.code}: ${error.message}`,
    outcome,
  }
}
