import { DtsError, isDtsError } from '../../../lib/errors.ts'
import type { Stream } from '../../../lib/kafka/stream.ts'
import type { TailCall } from './arguments.ts'
import { type Format, formatOf } from './formats.ts'
import type { Output } from './output.ts'
import { Progress } from './progress.ts'
import { type Part, partOf, readSteps, type Step } from './read.ts'
import { reopen } from './reopen.ts'
import { Selector } from './select.ts'

export interface TailDependencies {
  readonly open: () => Promise<Stream>
  readonly output: Output
  /** The current time in milliseconds. */
  readonly now: () => number
  /** Waits, in milliseconds; ends early if the signal is aborted. */
  readonly wait: (ms: number) => Promise<void>
  /** Aborted by Ctrl-C, or if the reader has closed the output. */
  readonly signal: AbortSignal
}

/**
 * Prints the selected changes.
 * @returns whether everything could be printed as it was asked for; the output says why if not
 * @throws DtsError if the stream cannot be read, or does not fit the flags
 */
export async function tail(call: TailCall, dependencies: TailDependencies): Promise<boolean> {
  return await new Tail(call, dependencies).run()
}

class Tail {
  readonly #call: TailCall
  readonly #dependencies: TailDependencies
  readonly #selector: Selector
  readonly #format: Format
  #printed = 0
  #formless = 0
  #faults = 0

  constructor(call: TailCall, dependencies: TailDependencies) {
    this.#call = call
    this.#dependencies = dependencies
    this.#selector = new Selector(call.selection)
    const { columns, isOneTable } = call.selection
    this.#format = formatOf(call.format, { columns, isOneTable, isTerminal: dependencies.output.isTerminal })
  }

  async run(): Promise<boolean> {
    const { from, to, follow } = this.#call
    const { open, output, now, signal } = this.#dependencies
    let stream = await open()
    try {
      let part = await partOf(stream, from, to, follow)
      const progress = new Progress(part, now)
      while (!signal.aborted) {
        const { next, failure } = await this.#read(stream, part, progress)
        if (failure === null || signal.aborted) break
        if (!follow || !failure.retryable) throw failure
        output.note(`${failure.message} Connecting again.`)
        await stream.close()
        const reopened = await reopen(this.#dependencies)
        if (reopened === null) break
        const { clusterId } = stream
        stream = reopened
        if (stream.clusterId !== clusterId) throw clusterChanged(clusterId, stream.clusterId)
        part = { ...part, from: next }
      }
      output.clearProgress()
      output.note(progress.summary())
    } finally {
      await stream.close()
    }
    return this.#isComplete()
  }

  /** Reads until the end, the limit, an abort or a failure. `next` is the offset to continue at. */
  async #read(
    stream: Stream,
    part: Part,
    progress: Progress,
  ): Promise<{ readonly next: bigint; readonly failure: DtsError | null }> {
    const { output, signal } = this.#dependencies
    const close = () => void stream.close()
    signal.addEventListener('abort', close)
    let next = part.from
    try {
      for await (const step of readSteps(stream, part, this.#selector)) {
        progress.add(step, await this.#print(step))
        next = step.nextOffset
        step.free()
        if (signal.aborted || this.#printed >= this.#call.limit) break
        const line = progress.line()
        if (line !== null) output.progress(line)
      }
      return { next, failure: null }
    } catch (error) {
      if (!isDtsError(error)) throw error
      return { next, failure: error }
    } finally {
      signal.removeEventListener('abort', close)
    }
  }

  /** @returns the number of changes that it printed */
  async #print({ changes, faults }: Step): Promise<number> {
    const { output } = this.#dependencies
    for (const { offset, error } of faults) output.note(`Offset ${offset} cannot be read: ${error.message}`)
    this.#faults += faults.length
    let text = ''
    let printed = 0
    for (const change of changes) {
      if (this.#printed + printed >= this.#call.limit) break
      const lines = this.#format(change)
      if (lines === null) this.#formless += 1
      else {
        text += lines
        printed += 1
      }
    }
    this.#printed += printed
    if (text !== '') await output.write(text)
    return printed
  }

  #isComplete(): boolean {
    const { output, signal } = this.#dependencies
    const { format, limit } = this.#call
    if (this.#formless > 0)
      output.note(
        `${this.#formless} statements (DDL) have no row, so ${format} does not show them: --format json does.`,
      )
    if (this.#faults > 0) output.note(`${this.#faults} records cannot be read.`)
    const { unmatched, tables } = this.#selector
    const isEarly = signal.aborted || this.#printed >= limit
    if (!isEarly && unmatched.length > 0)
      output.note(`No table there matches ${unmatched.join(', ')}. Its tables: ${firstOf(tables)}.`)
    return this.#faults === 0 && (isEarly || unmatched.length === 0)
  }
}

const mostNamed = 20

function firstOf(tables: readonly string[]): string {
  const more = tables.length > mostNamed ? ` and ${tables.length - mostNamed} more` : ''
  return tables.length === 0 ? 'none' : `${tables.slice(0, mostNamed).join(', ')}${more}`
}

function clusterChanged(from: string, to: string): DtsError {
  return new DtsError(
    'CLUSTER_CHANGED',
    `Cluster changed from ${from} to ${to}, consumer require restart. The new cluster has other offsets. Run this again with ` +
      '--from and the time of the last change above: changes of that second come twice.',
    { retryable: false, facts: { from, to } },
  )
}
