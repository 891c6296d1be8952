import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { FaultyLine } from './read-feed.ts'

/** New lines of one file. */
export interface NewLines {
  readonly path: string
  readonly text: string
  /** The number of lines before them. */
  readonly linesBefore: number
}

interface Read {
  /** How many bytes were read: whole lines only. */
  readonly bytes: number
  readonly lines: number
}

/** Bytes of one look at a file. */
const mostBytes = 16 * 1024 * 1024
const lineFeed = 10

/** Follows the files *.jsonl of a folder. Each line is read once, as soon as its line break is there. */
export class FeedFolder {
  readonly path: string
  readonly #read = new Map<string, Read>()

  constructor(path: string) {
    this.path = path
  }

  /**
   * What was added since the last look, by file in the order of their names.
   * @param warn gets what a person must know about a file
   */
  async look(warn: (text: string) => void): Promise<NewLines[]> {
    const names = (await readdir(this.path)).filter((name) => name.endsWith('.jsonl')).sort()
    const found: NewLines[] = []
    for (const name of names) {
      const added = await this.#added(name, warn)
      if (added !== null) found.push(added)
    }
    return found
  }

  async #added(name: string, warn: (text: string) => void): Promise<NewLines | null> {
    const path = join(this.path, name)
    const before = this.#read.get(name) ?? { bytes: 0, lines: 0 }
    // A file can be removed after its name was listed.
    const file = await open(path).catch(() => null)
    if (file === null) return null
    try {
      const { size } = await file.stat()
      if (size < before.bytes) {
        warn(
          `${path} is shorter than before. Its lines were fed already; only lines that come after them are fed.`,
        )
        this.#read.set(name, { bytes: size, lines: await countLines(file, size) })
        return null
      }
      const added = await wholeLines(file, before.bytes, size)
      if (added.length === 0) return null
      const text = added.toString('utf8')
      const lines = before.lines + text.split('\n').length - 1
      // A byte that is not UTF-8 becomes a character of three bytes, so the text has another length.
      this.#read.set(name, { bytes: before.bytes + added.length, lines })
      return { path, text, linesBefore: before.lines }
    } finally {
      await file.close()
    }
  }
}

/** The file from `from` on, through its last line break. */
async function wholeLines(file: FileHandle, from: number, size: number): Promise<Buffer> {
  const buffer = Buffer.alloc(Math.min(size - from, mostBytes))
  const { bytesRead } = await file.read(buffer, 0, buffer.length, from)
  return buffer.subarray(0, buffer.subarray(0, bytesRead).lastIndexOf(lineFeed) + 1)
}

async function countLines(file: FileHandle, size: number): Promise<number> {
  const text = (await wholeLines(file, 0, size)).toString('utf8')
  return text.split('\n').length - 1
}

/** The faults of new lines, with the numbers that the lines have in their file. */
export function inFile({ path, linesBefore }: NewLines, faults: readonly FaultyLine[]): string[] {
  return faults.map(({ line, reason }) => `${path}:${linesBefore + line}: ${reason}. This line was not sent.`)
}
