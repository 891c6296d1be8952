import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readerConfig } from '../../../lib/config.ts'
import { streamOpener } from '../../../lib/connect/clients.ts'
import type { Stream } from '../../../lib/kafka/stream.ts'
import { sourceNames } from '../../sources.ts'
import { findTables, type Table } from '../../tables.ts'
import { namesInFolder, readSources } from '../named-sources.ts'
import type { StreamCall } from '../stream-flags.ts'

/** An open stream, and how to close it. */
export interface Source {
  readonly stream: Stream
  /** Whether it is the shop that `npm start` plays. */
  readonly isExample: boolean
  close(): Promise<void>
}

/** How a command that reads tables was started. */
export interface TableCommand {
  /** The words before its arguments, for messages. */
  readonly program: string
  /** Opens the example shop if no stream is configured. Only this repository has it. */
  readonly openExample?: () => Promise<Source>
}

/**
 * @param settings as `settingsOf` returns them
 * @throws DtsError CONFIG_INVALID, or an error of the connection
 */
export async function openSource(
  settings: Readonly<Record<string, string | undefined>>,
  { openExample }: TableCommand,
): Promise<Source> {
  const isConfigured = Object.entries(settings).some(([name, value]) => name.startsWith('DTS_') && value)
  if (!isConfigured && openExample !== undefined) return await openExample()
  const stream = await streamOpener(readerConfig(settings)).open()
  return { stream, isExample: false, close: () => stream.close() }
}

/** The handlers of the stream: those in the folder of its source, or outside the folders of all sources. */
export async function tablesOf(call: StreamCall, folder: string): Promise<Table[]> {
  const path = join(folder, 'functions/tables')
  if (!existsSync(path)) return []
  const { source = '', stage } = call
  const names =
    source === '' ? await namesInFolder(folder, stage) : sourceNames(await readSources(folder, stage))
  return (await findTables(path, names)).filter((table) => table.source === source)
}
