import { idle, type LocalStream, type Origin, startingWith } from '../origin.ts'
import type { ShopRecord } from '../shop.ts'
import { LocalStackError } from '../stack.ts'
import { FeedFolder, inFile, type NewLines } from './feed-folder.ts'
import { type FeedReader, refuseFeed } from './feed-reader.ts'

/**
 * The changes of the files in a folder, then those that are added to them, then what DTS writes while the source is idle.
 * @param now in seconds
 * @throws DtsError CHANGE_JSON_INVALID with each line that is no change: then nothing is started
 */
export async function folderOrigin(path: string, reader: FeedReader, now: number): Promise<Origin> {
  const folder = new FeedFolder(path)
  const first: ShopRecord[] = []
  const warnings: string[] = []
  for (const added of await look(folder, (text) => warnings.push(text))) {
    const { records, faults } = reader.read(added.text, 'jsonl', now)
    if (faults.length > 0) throw refuseFeed(added.path, faults)
    first.push(...records)
  }
  return {
    ...startingWith(first, now),
    async write(stream, wait, signal) {
      for (const text of warnings) stream.note(text)
      await Promise.all([idle(now)(stream, wait, signal), follow(folder, reader, stream, wait, signal)])
    },
  }
}

const lookMs = 500

async function look(folder: FeedFolder, warn: (text: string) => void): Promise<NewLines[]> {
  try {
    return await folder.look(warn)
  } catch (error) {
    throw new LocalStackError(
      `The feed ${folder.path} cannot be read: ${error instanceof Error ? error.message : error}`,
    )
  }
}

async function follow(
  folder: FeedFolder,
  reader: FeedReader,
  stream: LocalStream,
  wait: (ms: number) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await wait(lookMs)
    for (const added of await look(folder, (text) => stream.note(text))) await take(added, reader, stream)
  }
}

/** Feeds the lines that are changes, and names the others. */
async function take(added: NewLines, reader: FeedReader, stream: LocalStream): Promise<void> {
  const { records, faults } = reader.read(added.text, 'jsonl', Math.floor(Date.now() / 1000))
  if (records.length > 0) await stream.append(records)
  for (const text of inFile(added, faults)) stream.note(text)
}
