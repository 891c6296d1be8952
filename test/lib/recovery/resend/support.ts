import { gzipSync } from 'node:zlib'
import { type DeadLetter, deadLetterSchema } from '../../../../lib/dispatch/dead-letter.ts'
import type { DeadLetterSource, Received } from '../../../../lib/dispatch/dead-letter-source.ts'

/** A letter of `shop.orders`. Its message has the id `m<offset>`. */
export function letterOf(offset: number, value: Buffer, change: Partial<DeadLetter> = {}): Received {
  const letter = deadLetterSchema.parse({
    version: 1,
    functionName: 'orders',
    table: 'shop.orders',
    topic: 't',
    partition: 0,
    clusterId: 'c',
    generation: 1,
    offset: String(offset),
    attempts: 1,
    at: '2026-01-01T00:00:00.000Z',
    error: { code: 'HANDLER_FAILED', message: 'no' },
    raw: value.toString('base64'),
    event: null,
    ...change,
    ...('functionName' in change ? { functionName: change.functionName ?? '' } : {}),
  })
  return { letter, messageId: `m${offset}`, receipt: `r${offset}` }
}

/** A queue that hands out at most `atOnce` letters, and those of the bucket by their key. */
export class Queue implements DeadLetterSource {
  readonly waiting: Received[]
  readonly #atOnce: number
  readonly #out = new Set<string>()
  /** How many letters each request asked for. */
  readonly asked: number[] = []
  readonly bucket = new Map<string, Buffer>()

  constructor(letters: readonly Received[], atOnce = 10) {
    this.waiting = [...letters]
    this.#atOnce = atOnce
  }

  /** Letters that a receiver has neither deleted nor given back. */
  get out(): string[] {
    return [...this.#out]
  }

  /** Puts a record into the bucket. @returns the letter's `raw` */
  store(key: string, value: Buffer): DeadLetter['raw'] {
    this.bucket.set(key, gzipSync(value))
    return { bucket: 'letters', key }
  }

  async receive(max: number, isWanted: (letter: DeadLetter, messageId: string) => boolean) {
    this.asked.push(max)
    const free = this.waiting.filter(({ receipt }) => !this.#out.has(receipt))
    const wanted = free.filter(({ letter, messageId }) => isWanted(letter, messageId))
    const items = wanted.slice(0, Math.min(max, this.#atOnce))
    for (const { receipt } of items) this.#out.add(receipt)
    return { items, others: free.filter((item) => !wanted.includes(item)).map(({ letter }) => letter) }
  }

  async remove(item: Received) {
    this.waiting.splice(this.waiting.indexOf(item), 1)
    this.#out.delete(item.receipt)
  }

  async giveBack(items: readonly Pick<Received, 'receipt'>[]) {
    // SQS refuses to change the visibility of a deleted message.
    for (const { receipt } of items)
      if (!this.#out.delete(receipt)) throw new Error(`${receipt} is not handed out.`)
  }

  async load({ key }: { readonly key: string }) {
    const found = this.bucket.get(key)
    if (found === undefined) throw new Error(`There is no object ${key}.`)
    return found
  }

  async count() {
    return this.waiting.length
  }
}
