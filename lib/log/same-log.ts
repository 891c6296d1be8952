import type { Checkpoint } from '../checkpoint/types.ts'
import { digestOf } from '../dts/digest.ts'
import { isFiller } from '../dts/header.ts'
import { DtsError, type ErrorCode, type Facts } from '../errors.ts'
import type { LogRecord } from '../kafka/records.ts'
import type { Stream } from '../kafka/stream.ts'
import { isChangeOf } from './anchor.ts'
import { glance } from './scan.ts'

/** What `proveSameLog` throws when the stream must halt. */
export const sameLogCodes: ReadonlySet<ErrorCode> = new Set(['CLUSTER_CHANGED', 'LOG_CHANGED', 'DATA_GAP'])

/**
 * Proves that the log behind `stream` is the one that the checkpoint's offset belongs to: same cluster id, offset
 * within the data range, and the record below the offset is the one that was committed.
 * @throws DtsError CLUSTER_CHANGED, LOG_CHANGED, DATA_GAP: the stream must halt
 */
export async function proveSameLog(
  checkpoint: Pick<Checkpoint, 'offset' | 'tail' | 'anchor' | 'clusterId'>,
  stream: Stream,
): Promise<void> {
  const { offset, tail, anchor, clusterId } = checkpoint
  if (clusterId !== stream.clusterId) {
    throw changed(
      'CLUSTER_CHANGED',
      `Cluster changed from ${clusterId} to ${stream.clusterId}, consumer require restart. ` +
        `The stored offset ${offset} means nothing on the new cluster.`,
      { from: clusterId, to: stream.clusterId, offset: String(offset) },
    )
  }
  const { earliest, end } = await stream.range()
  const facts = { offset: String(offset), earliest: String(earliest), end: String(end), clusterId }
  if (offset < earliest) {
    throw changed(
      'DATA_GAP',
      `The records from offset ${offset} to ${earliest - 1n} are no longer in the data range, which begins at ${earliest}: ` +
        'those that were not delivered yet are lost to this stream.',
      facts,
    )
  }
  if (offset > end) {
    throw changed(
      'LOG_CHANGED',
      `The stored offset ${offset} lies above the end of the log, whose next record gets offset ${end}.`,
      facts,
    )
  }
  // A log that was trimmed right up to the offset has nothing left to compare; the cluster id has to do.
  if (tail === null || tail.offset < earliest) return
  const last = await recordAt(stream, tail.offset)
  let missing = last === null || digestOf(last.value) !== tail.digest ? tail.offset : null
  // Filler is the same in every log: behind it, the last change has to stand where it did.
  if (missing === null && isFiller(last?.size ?? 0) && anchor !== null && anchor.offset >= earliest) {
    const change = await recordAt(stream, anchor.offset)
    if (change === null || !isChangeOf(anchor, change.value)) missing = anchor.offset
  }
  if (missing !== null) {
    throw changed(
      'LOG_CHANGED',
      `Another record, or none, stands at offset ${missing}, which was committed last.`,
      facts,
    )
  }
}

async function recordAt(stream: Stream, offset: bigint): Promise<LogRecord | null> {
  const { records } = await stream.fetch(offset, glance)
  const first = records.at(0)
  return first?.offset === offset ? first : null
}

function changed(code: 'CLUSTER_CHANGED' | 'LOG_CHANGED' | 'DATA_GAP', what: string, facts: Facts): DtsError {
  return new DtsError(code, `${what} No change is delivered until the checkpoint is moved.`, {
    retryable: false,
    facts,
    next: [
      { action: 'inspect', purpose: 'see first whether changes are lost' },
      { action: 'reset', purpose: 'move the checkpoint then' },
    ],
  })
}
