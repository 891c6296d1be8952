import { gunzipSync } from 'node:zlib'
import type { DeadLetter } from '../../dispatch/dead-letter.ts'
import type { DeadLetterSource, Received } from '../../dispatch/dead-letter-source.ts'
import { RoutedEvent } from '../../dispatch/event.ts'
import { DtsError, type NextStep } from '../../errors.ts'
import { LogRecords } from '../../kafka/records.ts'
import * as z from '../../schema.ts'
import { maskedBytes } from './masked-letter.ts'
import { mayInvoke, type SendDependencies, sendOnce } from './send.ts'

export const redriveSchema = z.strictObject({
  action: z.literal('redrive'),
  /** Only dead letters of this table; all when left out. */
  table: z.optional(z.string().check(z.minLength(1))),
  /** The most to take. */
  max: z._default(z.int().check(z.minimum(1), z.maximum(1_000)), 100),
  dryRun: z._default(z.boolean(), false),
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
  /** The errors of the functions that failed again. */
  readonly error: string | null
  /** Why letters that were asked for stay in the queue. */
  readonly notes: readonly string[]
  readonly next: readonly NextStep[]
}

interface RedriveDependencies extends SendDependencies {
  readonly deadLetters: DeadLetterSource
}

/**
 * Sends dead letters to their handler again, in their order, and deletes each one that is acknowledged. After the first
 * that fails again, the later letters of that function stay in the queue, in their order. Other functions continue.
 * @throws DtsError DEAD_LETTER_FAILED when the queue cannot be read
 */
export async function redrive(
  { table, max, dryRun }: z.output<typeof redriveSchema>,
  dependencies: RedriveDependencies,
): Promise<RedriveResult> {
  const { deadLetters } = dependencies
  const letters: Letter[] = []
  const unreadable: Received[] = []
  /** Functions that get no more letters, and the error that caused it. The function null: records that could not be read. */
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
    // The queue hands out a function's next letters only after these are deleted or returned.
    if (isTried && redriven + count('failed') < max) continue
    // Records that could not be read are a group of their own in the queue, so they are in front of no letter.
    const inFront = others.filter(({ functionName }) => functionName !== null && !ended.has(functionName))
    const errors = [...ended.values()].filter((error) => error !== null)
    return {
      action: 'redrive',
      letters,
      redriven,
      left: await deadLetters.count(),
      error: errors.map(({ message }) => message).join(' ') || null,
      notes: [...blockedBy(inFront, table), ...unreadable.map(byHand)],
      next: [
        ...errors.flatMap(({ next }) => next.map(instead)),
        ...(inFront.length === 0 ? [] : [redriveAll]),
      ],
    }
  }
}

const redriveAll = {
  action: 'redrive',
  purpose: 'send the letters of all tables, so that these are not in the way',
} as const

/** A fault that halts the poller ends only this redrive. The stream may be halted for another reason, or paused. */
function instead(step: NextStep): NextStep {
  return step.action === 'resume' ? { action: 'redrive', purpose: 'send the letters again then' } : step
}

/** The queue has one group per function: it hands out a table's letters only after the letters before them are gone. */
function blockedBy(others: readonly DeadLetter[], table: string | undefined): string[] {
  const counts = Map.groupBy(others, ({ functionName }) => functionName)
  return [...counts].map(
    ([functionName, { length }]) =>
      `${length} letters of other tables of ${functionName} come first in the queue. It does not hand out ` +
      `letters of ${table} that may come after them, so redrive those first, without a table.`,
  )
}

/** Without a table, no handler can be found. */
function byHand({ letter: { topic, partition, offset, error }, messageId }: Received): string {
  return (
    `The record at offset ${offset} of ${topic}/${partition} could not be read (${error.code}), so no redrive takes it. ` +
    `Its bytes are in the "raw" of message ${messageId}, or in the bucket that it names. See by hand what they change, then ` +
    'discard the letter: the action discard with that message deletes it. Otherwise the queue deletes it after 14 days.'
  )
}

type Letter = RedriveResult['letters'][number]

async function listed(items: readonly Received[], deadLetters: DeadLetterSource): Promise<Letter[]> {
  await deadLetters.giveBack(items)
  return items.map(({ letter }) => describe(letter, 'listed'))
}

/** Sends the letters that the queue handed out together. @param ended gets the functions that fail here */
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
    // Letters that stay in the queue are visible again at once, not after the time-out.
    await dependencies.deadLetters.giveBack(items.filter((item) => outcomes.get(item) !== 'redriven'))
  }
  return items.map((item) => describe(item.letter, outcomes.get(item) ?? 'left'))
}

/** @returns the error; null if the letter is done */
async function redriveOne(
  item: Received,
  functionName: string,
  dependencies: RedriveDependencies,
): Promise<DtsError | null> {
  const { letter } = item
  const { topic, partition, clusterId, generation, table, offset } = letter
  const origin = { topic, partition, clusterId, generation, replayUntil: Number.MAX_SAFE_INTEGER }
  try {
    const bytes = await bytesOf(letter, dependencies.deadLetters)
    const value = await maskedBytes(letter, bytes, functionName, dependencies)
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
