import * as z from 'zod'
import type { LocalStack } from '../stack.ts'

/** What a fate needs of a dead letter. */
export interface LetterNote {
  readonly table: string
  readonly offset: bigint
  readonly generation: number
  readonly reason: string
}

const letterSchema = z.object({
  table: z.string(),
  offset: z.string(),
  generation: z.number(),
  error: z.object({ code: z.string(), message: z.string() }),
})

/** Reads each message of the local queue once. */
export class LetterBox {
  readonly #messages: LocalStack['letters']
  #read = new Map<string, LetterNote>()

  constructor(messages: LocalStack['letters']) {
    this.#messages = messages
  }

  /** The letters that are in the queue now. */
  look(): readonly LetterNote[] {
    this.#read = new Map(
      this.#messages().map(({ id, body }) => [id, this.#read.get(id) ?? read(body)] as const),
    )
    return [...this.#read.values()]
  }
}

function read(body: string): LetterNote {
  const { table, offset, generation, error } = letterSchema.parse(JSON.parse(body))
  return { table, offset: BigInt(offset), generation, reason: `${error.code}: ${error.message}` }
}
