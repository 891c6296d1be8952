import type { EncodedBatch, Entry } from './batch.ts'
import { setBaseOffset } from './batch.ts'

interface StoredBatch extends EncodedBatch {
  readonly baseOffset: bigint
  /** The offset after the batch's last record. */
  readonly endOffset: bigint
  readonly maxTimestampMs: number
}

export interface LogEntry extends Entry {
  readonly offset: bigint
}

export interface Slice {
  /** Encoded batches, from the one that holds the requested offset. */
  readonly bytes: Buffer
  /** True when the last batch in `bytes` is cut off. */
  readonly truncated: boolean
}

/** One partition's log: encoded batches in offset order, without gaps. */
export class Log {
  #batches: StoredBatch[] = []
  #start: bigint
  #end: bigint
  readonly #waiting = new Set<() => void>()

  constructor(firstOffset: bigint) {
    this.#start = firstOffset
    this.#end = firstOffset
  }

  /** The first readable offset. It can lie inside a batch, as it can on a broker after DeleteRecords. */
  get start(): bigint {
    return this.#start
  }

  /** The offset of the next record: the high watermark. */
  get end(): bigint {
    return this.#end
  }

  /** Assigns the next offsets to the batch. The log keeps its bytes, so that the same batch can be appended many times. */
  append({ bytes, entries, compression }: EncodedBatch): void {
    const baseOffset = this.#end
    this.#end += BigInt(entries.length)
    this.#batches.push({
      bytes,
      entries,
      compression,
      baseOffset,
      endOffset: this.#end,
      maxTimestampMs: entries.reduce((max, entry) => Math.max(max, entry.timestampMs), -1),
    })
    for (const wake of this.#waiting) wake()
  }

  /** Makes `offset` the first readable one. Never moves backwards or past the end. */
  trim(offset: bigint): void {
    if (offset <= this.#start) return
    this.#start = offset < this.#end ? offset : this.#end
    this.#batches = this.#batches.filter((batch) => batch.endOffset > this.#start)
  }

  contains(offset: bigint): boolean {
    return offset >= this.#start && offset <= this.#end
  }

  /** The batches, each with its readable entries. */
  *groups(): Generator<{ batch: EncodedBatch; entries: LogEntry[] }> {
    for (const batch of this.#batches) {
      const entries = batch.entries
        .map((entry, index) => ({ ...entry, offset: batch.baseOffset + BigInt(index) }))
        .filter(({ offset }) => offset >= this.#start)
      yield { batch, entries }
    }
  }

  *entries(): Generator<LogEntry> {
    for (const { entries } of this.groups()) yield* entries
  }

  /** The readable entries from an offset on. The batches below it are not looked at. */
  *entriesFrom(offset: bigint): Generator<LogEntry> {
    const from = offset > this.#start ? offset : this.#start
    for (const { baseOffset, entries } of this.#batches.slice(this.#indexOf(from))) {
      for (const [index, entry] of entries.entries()) {
        const at = baseOffset + BigInt(index)
        if (at >= from) yield { ...entry, offset: at }
      }
    }
  }

  get first(): LogEntry | undefined {
    return this.entries().next().value ?? undefined
  }

  get last(): LogEntry | undefined {
    const batch = this.#batches.at(-1)
    const entry = batch?.entries.at(-1)
    return batch && entry && { ...entry, offset: batch.endOffset - 1n }
  }

  /** The first entry in offset order that is not older than `timestampMs`. */
  firstAt(timestampMs: number): LogEntry | undefined {
    for (const batch of this.#batches) {
      if (batch.maxTimestampMs < timestampMs) continue
      for (const [index, entry] of batch.entries.entries()) {
        const offset = batch.baseOffset + BigInt(index)
        if (entry.timestampMs >= timestampMs && offset >= this.#start) return { ...entry, offset }
      }
    }
    return undefined
  }

  /** Whether at least `count` bytes can be read from `offset`. */
  hasBytes(offset: bigint, count: number): boolean {
    let bytes = 0
    for (let i = this.#indexOf(offset); bytes < count; i++) {
      const batch = this.#batches[i]
      if (!batch) return false
      bytes += batch.bytes.length
    }
    return true
  }

  /**
   * Reads at most `maxBytes` from `offset`, but always the whole first batch: otherwise a client could not get past a
   * larger one. A broker sends a range of its file, so `truncate` cuts the last batch at `maxBytes`. Without it, the
   * answer has whole batches only.
   */
  read(offset: bigint, maxBytes: number, truncate: boolean): Slice {
    const parts: Buffer[] = []
    const first = this.#indexOf(offset)
    let left = maxBytes
    let truncated = false
    for (let i = first; !truncated; i++) {
      const batch = this.#batches[i]
      if (!batch) break
      truncated = parts.length > 0 && batch.bytes.length > left
      if (truncated && (!truncate || left <= 0))
        return { bytes: this.#joined(parts, first), truncated: false }
      parts.push(truncated ? batch.bytes.subarray(0, left) : batch.bytes)
      left -= batch.bytes.length
    }
    return { bytes: this.#joined(parts, first), truncated }
  }

  /** The bytes of consecutive batches, with their offsets. @param first the index of the first batch */
  #joined(parts: readonly Buffer[], first: number): Buffer {
    const bytes = Buffer.concat(parts)
    let at = 0
    for (const [index, part] of parts.entries()) {
      setBaseOffset(bytes.subarray(at, at + part.length), this.#batches[first + index]?.baseOffset ?? 0n)
      at += part.length
    }
    return bytes
  }

  /** Resolves at the next append, after `ms`, or when `signal` aborts, whichever comes first. */
  async changed(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    this.#waiting.add(resolve)
    const onAbort = () => resolve()
    signal.addEventListener('abort', onAbort)
    await promise
    clearTimeout(timer)
    this.#waiting.delete(resolve)
    signal.removeEventListener('abort', onAbort)
  }

  /** The index of the batch that holds `offset`, or the number of batches if none does. */
  #indexOf(offset: bigint): number {
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >> 1
      const batch = this.#batches[middle]
      if (batch && batch.endOffset <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
