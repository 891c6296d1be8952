import type { DeadLetter } from '../../dispatch/dead-letter.ts'
import type { DeadLetterSource, Received } from '../../dispatch/dead-letter-source.ts'
import { decodeChange } from '../../dts/decode-change.ts'
import { readHeader } from '../../dts/header.ts'
import { type ChangeJson, changeToJson } from '../../dts/json.ts'
import { DtsError, isDtsError } from '../../errors.ts'
import * as z from '../../schema.ts'
import { printableValue } from '../../text/printable.ts'
import { type LetterMask, maskedBytes } from './masked-letter.ts'

export const lettersSchema = z.strictObject({
  action: z.literal('letters'),
  /** The most to show. */
  max: z._default(z.int().check(z.minimum(1), z.maximum(100)), 50),
})

export const discardSchema = z.strictObject({
  action: z.literal('discard'),
  /** The id of the message in the queue, as `letters` shows it. */
  message: z.string().check(z.minLength(1), z.maxLength(200)),
  by: z.optional(z.string().check(z.maxLength(200))),
  reason: z.optional(z.string().check(z.maxLength(1_000))),
})

/** A dead letter without its row. */
export interface LetterFacts {
  readonly message: string
  readonly table: string
  /** Null: the record could not be read, so no function gets it. */
  readonly function: string | null
  readonly partition: number
  readonly clusterId: string
  readonly offset: string
  readonly generation: number
  readonly at: string
  readonly attempts: number
  readonly error: string
}

export interface ShownLetter extends LetterFacts {
  /** The change, masked as a redrive masks it. Null if it cannot be decoded or masked, or is too large for the answer. */
  readonly change: ChangeJson | null
}

export interface LettersResult {
  readonly action: 'letters'
  /** Those that the queue hands out first, oldest first of each function. */
  readonly letters: readonly ShownLetter[]
  /** How many wait, as queues count: about. */
  readonly waiting: number
}

export interface DiscardResult {
  readonly action: 'discard'
  readonly letter: LetterFacts
  readonly by: string
  readonly reason: string | null
  readonly note: string
}

type LettersDependencies = LetterMask & { readonly deadLetters: DeadLetterSource }

/** Bytes of a change in the answer. With the most letters, it stays below the limit of Lambda, 6 MB. */
const mostBytes = 20_000

/** Shows the first letters with their changes, and gives them back to the queue. @throws DtsError DEAD_LETTER_FAILED */
export async function listLetters(
  { max }: z.output<typeof lettersSchema>,
  dependencies: LettersDependencies,
): Promise<LettersResult> {
  const { deadLetters } = dependencies
  const { items } = await deadLetters.receive(max, () => true)
  await deadLetters.giveBack(items)
  const letters: ShownLetter[] = []
  for (const item of items)
    letters.push({ ...factsOf(item), change: await changeOf(item.letter, dependencies) })
  return { action: 'letters', letters, waiting: await deadLetters.count() }
}

/**
 * Deletes one letter. Its change is then never delivered.
 * @throws DtsError DEAD_LETTER_FAILED if the queue does not hand it out, or cannot be used
 */
export async function discard(
  { message, by, reason }: z.output<typeof discardSchema>,
  { deadLetters, owner }: { readonly deadLetters: DeadLetterSource; readonly owner: string },
): Promise<DiscardResult> {
  const { items } = await deadLetters.receive(1, (_letter, id) => id === message)
  const [item] = items
  if (item === undefined) throw notHandedOut(message)
  await deadLetters.remove(item)
  const letter = factsOf(item)
  const what = letter.function === null ? 'The record' : `The change of ${letter.table}`
  return {
    action: 'discard',
    letter,
    by: by ?? owner,
    reason: reason || null,
    note:
      `${what} at offset ${letter.offset} is discarded: the letter is deleted, and no redrive delivers it. The log of recovery ` +
      'keeps who did that, and why.',
  }
}

function notHandedOut(message: string): DtsError {
  return new DtsError(
    'DEAD_LETTER_FAILED',
    `The dead-letter queue hands out no letter ${message}. It was redriven or discarded meanwhile, or about ten letters of its ` +
      'function come before it. Nothing was deleted.',
    { retryable: false, next: [{ action: 'redrive', dryRun: true }] },
  )
}

function factsOf({ letter, messageId }: Received): LetterFacts {
  const { table, functionName, partition, clusterId, offset, generation, at, attempts, error } = letter
  return {
    message: messageId,
    table,
    function: functionName,
    partition,
    clusterId,
    offset,
    generation,
    at,
    attempts,
    error: `${error.code}: ${error.message}`,
  }
}

/** A record in the bucket can be of any size, so it is not loaded. */
async function changeOf(letter: DeadLetter, mask: LetterMask): Promise<ChangeJson | null> {
  const { raw, functionName, generation } = letter
  if (typeof raw !== 'string' || functionName === null) return null
  try {
    const value = await maskedBytes(letter, Buffer.from(raw, 'base64'), functionName, mask)
    const place = { offset: BigInt(letter.offset), generation, replay: false }
    const change = changeToJson(decodeChange(value, readHeader(value), place))
    // As the answer is sent: some characters become escapes of several bytes.
    return Buffer.byteLength(JSON.stringify(printableValue(change))) > mostBytes ? null : change
  } catch (error) {
    if (isDtsError(error)) return null
    throw error
  }
}
