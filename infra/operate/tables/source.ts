import { streamOpener } from '../../../lib/connect/clients.ts'
import type { Stream } from '../../../lib/kafka/stream.ts'
import { type StreamCall, settingsOf, sourceConfig } from '../stream-flags.ts'

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

/** @throws DtsError CONFIG_INVALID, or an error of the connection */
export async function openSource(
  call: StreamCall,
  folder: string,
  { openExample }: TableCommand,
): Promise<Source> {
  const settings = settingsOf(call, process.env, folder)
  const isConfigured = Object.entries(settings).some(([name, value]) => name.startsWith('DTS_') && value)
  if (!isConfigured && openExample !== undefined) return await openExample()
  const stream = await streamOpener(sourceConfig(call, process.env, folder)).open()
  return { stream, isExample: false, close: () => stream.close() }
}
