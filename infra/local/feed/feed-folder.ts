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
  /** How many bytes were read. */
  readonly bytes: number
  readonly lines: number
  /** Whether the rest of the line there is not fed. */
  readonly skips: boolean
}

/** Bytes of one look at a file. A line is fed only if it is shorter. */
const mostBytes = 16 * 1024 * 1024
const lineFeed = 10

/** Follows the files *.jsonl of a folder. Each line is read once, as soon as its line break is there. */
export class FeedFolder {
  readonly path: string
  readonly #read = new Map<string, Read>()
  readonly #mostBytes: number

  constructor(path: string, longestLine = mostBytes) {
    this.path = path
    this.#mostBytes = longestLine
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
    const before = this.#read.get(name) ?? { bytes: 0, lines: 0, skips: false }
    // A file can be removed after its name was listed.
    const file = await open(path).catch(() => null)
    if (file === null) return null
    try {
      const { size } = await file.stat()
      if (size < before.bytes) {
        warn(
          `${path} is shorter than before. Its lines were fed already; only lines that begin after them are fed.`,
        )
        this.#read.set(name, { bytes: size, ...(await this.#linesIn(file, size)) })
        return null
      }
      const bytes = await readPart(file, before.bytes, Math.min(size - before.bytes, this.#mostBytes))
      return this.#take(path, name, before, bytes, warn)
    } finally {
      await file.close()
    }
  }

  #take(
    path: string,
    name: string,
    before: Read,
    bytes: Buffer,
    warn: (text: string) => void,
  ): NewLines | null {
    if (before.skips) {
      const end = bytes.indexOf(lineFeed)
      const lines = before.lines + (end < 0 ? 0 : 1)
      const passed = end < 0 ? bytes.length : end + 1
      this.#read.set(name, { bytes: before.bytes + passed, lines, skips: end < 0 })
      return null
    }
    const added = bytes.subarray(0, bytes.lastIndexOf(lineFeed) + 1)
    if (added.length > 0) {
      const lines = before.lines + countLines(added)
      this.#read.set(name, { bytes: before.bytes + added.length, lines, skips: false })
      return { path, text: added.toString('utf8'), linesBefore: before.lines }
    }
    if (bytes.length >= this.#mostBytes) {
      warn(
        `${path}:${before.lines + 1}: the line is longer than ${this.#mostBytes} bytes. It is not fed; the lines after it are.`,
      )
      this.#read.set(name, { bytes: before.bytes + bytes.length, lines: before.lines, skips: true })
    }
    return null
  }

  /** A file that ends within a line continues with the rest of a line that was fed already. */
  async #linesIn(file: FileHandle, size: number): Promise<Pick<Read, 'lines' | 'skips'>> {
    let lines = 0
    let last: number | undefined = lineFeed
    for (let from = 0; from < size; ) {
      const bytes = await readPart(file, from, Math.min(size - from, this.#mostBytes))
      if (bytes.length === 0) break
      lines += countLines(bytes)
      last = bytes.at(-1)
      from += bytes.length
    }
    return { lines, skips: last !== lineFeed }
  }
}

async function readPart(file: FileHandle, from: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, from)
  return buffer.subarray(0, bytesRead)
}

function countLines(bytes: Buffer): number {
  let lines = 0
  for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) lines += 1
  return lines
}

/** The faults of new lines, with the numbers that the lines have in their file. */
export function inFile({ path, linesBefore }: NewLines, faults: readonly FaultyLine[]): string[] {
  return faults.map(({ line, reason }) => `${path}:${linesBefore + line}: ${reason}. This line was not sent.`)
}
