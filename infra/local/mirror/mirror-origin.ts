import { streamOpener } from '../../../lib/connect/clients.ts'
import { sourceConfig } from '../../operate/stream-flags.ts'
import type { Origin } from '../origin.ts'
import { Shop } from '../shop.ts'
import type { MirrorCall } from './arguments.ts'
import { beginMirror, runMirror } from './mirror.ts'

/**
 * The changes of a real stream. The local stream is a copy, so that checkpoint and commits are local, too.
 * @param folder of the service, with its .env files
 * @param now in seconds
 */
export async function mirrorOrigin(call: MirrorCall, folder: string, now: number): Promise<Origin> {
  const { open } = streamOpener(await sourceConfig(call, process.env, folder))
  const beginning = await beginMirror(open, call.from, now)
  const { offset, time } = beginning
  return {
    startTime: time,
    // The poller starts at a record with the start time, which comes right before the copy.
    firstOffset: offset === 0n ? 0n : offset - 1n,
    first: [new Shop().heartbeat(time)],
    write: (stream, wait, signal) => runMirror(beginning, stream, { open, wait, signal }),
  }
}
