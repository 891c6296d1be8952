import { open } from 'node:fs/promises'
import * as z from 'zod'

const lineSchema = z.object({
  table: z.string(),
  id: z.string(),
  offset: z.string(),
  generation: z.number(),
  replay: z.boolean(),
  operation: z.string(),
})
/** A change that a handler has finished. */
export type Handled = z.infer<typeof lineSchema>

/** Reads the lines of `observe.ts`, from the end of the last read. */
export class HandledFile {
  readonly #path: string
  #at = 0
  #partial = ''

  constructor(path: string) {
    this.#path = path
  }

  async readNew(): Promise<Handled[]> {
    const file = await open(this.#path, 'a+')
    try {
      const { size } = await file.stat()
      const buffer = Buffer.alloc(size - this.#at)
      await file.read(buffer, 0, buffer.length, this.#at)
      this.#at = size
      const lines = (this.#partial + buffer.toString('latin1')).split('\n')
      this.#partial = lines.pop() ?? ''
      return lines.map((line) => lineSchema.parse(JSON.parse(line)))
    } finally {
      await file.close()
    }
  }
}
