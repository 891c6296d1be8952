import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { printable, printableLines } from '../../../lib/text/printable.ts'

/** Where changes and messages go. */
export interface Output {
  /** Whether a terminal shows the changes. */
  readonly isTerminal: boolean
  /** Writes changes. Resolves when the reader has room for more. */
  write(text: string): Promise<void>
  /** A message beside the changes. */
  note(text: string): void
  /** Replaces the progress line. Without a terminal there is none. */
  progress(text: string): void
  clearProgress(): void
}

/** A stream that a terminal may show. */
export type Sink = Writable & { readonly isTTY?: boolean; hasColors?(): boolean }

const eraseLine = '\r\u001b[K'

/** @param closed called when the reader has closed the changes, such as after `| head` */
export function outputTo(changes: Sink, messages: Sink, closed: () => void): Output {
  let isProgressShown = false
  let isClosed = false
  const isTerminal = changes.isTTY === true && (changes.hasColors?.() ?? false)
  changes.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    isClosed = true
    closed()
  })
  const clearProgress = () => {
    if (isProgressShown) messages.write(eraseLine)
    isProgressShown = false
  }
  return {
    isTerminal,
    clearProgress,
    async write(text) {
      if (isClosed) return
      // On one terminal, the progress line would be in front of the next change.
      if (changes.isTTY) clearProgress()
      if (!changes.write(text)) await roomIn(changes)
    },
    note(text) {
      clearProgress()
      messages.write(`${printableLines(text)}\n`)
    },
    progress(text) {
      if (messages.isTTY !== true) return
      messages.write(`${eraseLine}${printable(text)}`)
      isProgressShown = true
    },
  }
}

/** Resolves when the reader has room again, or has closed the stream. Leaves no listener. */
async function roomIn(stream: Writable): Promise<void> {
  const ending = new AbortController()
  const { signal } = ending
  try {
    await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })]).catch(() => {})
  } finally {
    ending.abort()
  }
}
