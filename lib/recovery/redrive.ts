import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import type { DeadLetter } from '../dispatch/dead-letter.ts'
import type { DeadLetterSource, Received } from '../dispatch/dead-letter-source.ts'
import { RoutedEvent } from '../dispatch/event.ts'
import { DtsError } from '../errors.ts'
import { LogRecords } from '../kafka/records.ts'
import { recoveryCommand } from '../recovery-command.ts'
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
  readonly left: number
  readonly error: string | null
  /** What keeps letters in the queue that were asked for, and what to do about it. */
  readonly notes: readonly string[]
}

/**
 * Sends dead letters to their handler again, in their order, and deletes each one that is acknowledged. The first
 * that fails again ends its function's turn: what stands behind it keeps its place.
 * @throws DtsError DEAD_LETTER_FAILED when the queue cannot be read
 */
export async function redrive(
  event: z.output<typeof redriveSchema>,
  dependencies: SendDependencies & { readonly deadLetters: DeadLetterSource },
): Promise<RedriveResult> {
  const letters: Letter[] = []
  let error: DtsError | null = null
  let others: readonly DeadLetter[] = []
  while (error === null && letters.length < event.max) {
    const round = await redriveRound(event, event.max - letters.length, dependencies)
    letters.push(...round.letters)
    error = round.error
    others = round.others
    // The queue gives out a function's next letters once those in hand are gone.
    if (!round.letters.some(({ outcome }) => outcome === 'redriven')) break
  }
  const redriven = letters.filter(({ outcome }) => outcome === 'redriven').length
  return {
    action: 'redrive',
    letters,
    redriven,
    left: letters.length - redriven,
    error: error?.message ?? null,
    notes: standInFront(others, event.table),
  }
}

/** A queue with one group per function gives out a table's letters only when those before them are gone. */
function standInFront(others: readonly DeadLetter[], table: string | undefined): string[] {
  const counts = Map.groupBy(others, ({ functionName }) => functionName)
  return [...counts].map(
    ([functionName, { length }]) =>
      `${length} letters of other tables of ${functionName || 'no function'} stand in front, and the queue does not give ` +
      `out what may stand behind them of ${table}: redrive those first, without a table: ` +
      recoveryCommand('{"action":"redrive"}'),
  )
}

type Letter = RedriveResult['letters'][number]

/** What the queue gives out at once. */
async function redriveRound(
  event: z.output<typeof redriveSchema>,
  max: number,
  dependencies: SendDependencies & { readonly deadLetters: DeadLetterSource },
): Promise<{
  readonly letters: Letter[]
  readonly others: readonly DeadLetter[]
  readonly error: DtsError | null
}> {
  const { deadLetters } = dependencies
  const isWanted = ({ table }: DeadLetter) => event.table === undefined || table === event.table
  const { items: received, others } = await deadLetters.receive(max, isWanted)
  const outcomes = new Map<Received, Letter['outcome']>()
  const stopped = new Set<string>()
  let firstError: DtsError | null = null
  try {
    for (const item of received) {
      const { functionName } = item.letter
      if (event.dryRun) {
        outcomes.set(item, 'listed')
      } else if (functionName === '' || stopped.has(functionName) || !mayInvoke(dependencies)) {
        outcomes.set(item, 'left')
      } else {
        const error = await redriveOne(item, dependencies)
        outcomes.set(item, error === null ? 'redriven' : 'failed')
        if (error !== null) {
          stopped.add(functionName)
          firstError ??= error
        }
      }
    }
  } finally {
    // What stays in the queue is visible again at once, not after the time-out.
    await deadLetters.giveBack(received.filter((item) => outcomes.get(item) !== 'redriven'))
  }
  return {
    letters: received.map((item) => describe(item.letter, outcomes.get(item) ?? 'left')),
    others,
    error: firstError,
  }
}

async function redriveOne(
  item: Received,
  dependencies: SendDependencies & { readonly deadLetters: DeadLetterSource },
): Promise<DtsError | null> {
  const { letter } = item
  const value =
    typeof letter.raw === 'string'
      ? Buffer.from(letter.raw, 'base64')
      : gunzipSync(await dependencies.deadLetters.load(letter.raw))
  const { topic, partition, clusterId, generation, functionName, table } = letter
  const origin = { topic, partition, clusterId, generation, replayUntil: Number.MAX_SAFE_INTEGER }
  const events = [new RoutedEvent(LogRecords.of([{ offset: BigInt(letter.offset), value }]), 0, table)]
  const { done, error } = await sendOnce(functionName, events, origin, dependencies)
  if (done === 1) {
    await dependencies.deadLetters.remove(item)
    return null
  }
  return (
    error ?? new DtsError('HANDLER_FAILED', `${functionName} did not acknowledge it.`, { retryable: true })
  )
}

function describe(letter: DeadLetter, outcome: Letter['outcome']): Letter {
  const { table, functionName, offset, generation, at, attempts, error } = letter
  return {
    table,
    function: functionName,
    offset,
    generation,
    at,
    attempts,
    error: `${error.code}: ${error.message}`,
    outcome,
  }
}
