import { open } from 'node:fs/promises'
import * as z from 'zod'

/** A change, as far as a person needs it to find it. */
const change = {
  /** The name of the deployed function. */
  function: z.string(),
  table: z.string(),
  /** Null if the record could not be decoded. */
  operation: z.string().nullable(),
  /** The primary key, such as `id=7`; empty if it is unknown. */
  key: z.string(),
  offset: z.string(),
  generation: z.number(),
}
/** What was thrown, and the line of the user's code that it came from; null if the stack names none. */
const error = z.object({ name: z.string(), message: z.string(), place: z.string().nullable() })
/** The thread that runs the function. It handles one change, or one run of changes, at a time. */
const worker = z.number()

const schema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('handled'), worker, ...change, id: z.string(), replay: z.boolean() }),
  /** `until`: when the function is stopped, in milliseconds since 1970. */
  z.object({ kind: z.literal('started'), worker, ...change, until: z.number() }),
  z.object({ kind: z.literal('failed'), worker, ...change, error }),
  /** An error that no code caught, outside of a change. On Lambda it ends the process. */
  z.object({ kind: z.literal('crashed'), worker, function: z.string(), error }),
])

/** What a table function did, as `observe.ts` writes it. */
export type Observation = z.infer<typeof schema>
/** A change that a handler has finished. */
export type Handled = Extract<Observation, { kind: 'handled' }>
/** A change that a handler has begun with. */
export type Started = Extract<Observation, { kind: 'started' }>
export type Failed = Extract<Observation, { kind: 'failed' }>

/** Reads the lines of `observe.ts`, from the end of the last read. */
export class ObservationFile {
  readonly #path: string
  #at = 0
  #partial = ''

  constructor(path: string) {
    this.#path = path
  }

  async readNew(): Promise<Observation[]> {
    const file = await open(this.#path, 'a+')
    try {
      const { size } = await file.stat()
      const buffer = Buffer.alloc(size - this.#at)
      await file.read(buffer, 0, buffer.length, this.#at)
      this.#at = size
      // The writer escapes everything beyond ASCII, so a character is never cut in two.
      const lines = (this.#partial + buffer.toString('latin1')).split('\n')
      this.#partial = lines.pop() ?? ''
      return lines.map((line) => schema.parse(JSON.parse(line)))
    } finally {
      await file.close()
    }
  }
}
