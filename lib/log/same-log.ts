import type { Checkpoint } from '../checkpoint/types.ts'
import { digestOf } from '../dts/digest.ts'
import { isFiller } from '../dts/header.ts'
import { DtsError, type ErrorCode, type Facts } from '../errors.ts'
import type { DataRange } from '../kafka/data-range.ts'
import type { LogRecord } from '../kafka/records.ts'
import type { Stream } from '../kafka/stream.ts'
import { isChangeOf } from './anchor.ts'
import { glance, nothingBelowEnd } from './scan.ts'

/** The codes of `changeOfLog`: the stream must halt. */
export const sameLogCodes: ReadonlySet<ErrorCode> = new Set(['CLUSTER_CHANGED', 'LOG_CHANGED', 'DATA_GAP'])

/** A position and the log that it belongs to. */
type LogPosition = Pick<Checkpoint, 'offset' | 'tail' | 'anchor' | 'clusterId'>

/**
 * Requires that the log of `stream` is the one that the checkpoint's offset belongs to.
 * @throws DtsError CLUSTER_CHANGED, LOG_CHANGED, DATA_GAP: the stream must halt
 */
export async function requireSameLog(checkpoint: LogPosition, stream: Stream): Promise<void> {
  const change = await changeOfLog(checkpoint, stream)
  if (change !== null) throw change
}

/**
 * Null if the log is the same: the cluster id is equal, the offset is within the data range, and the record below the
 * offset is the one that was committed. Otherwise the reason to halt, with one of `sameLogCodes`.
 * @param range the data range, if it was read already
 */
export async function changeOfLog(
  { offset, tail, anchor, clusterId }: LogPosition,
  stream: Stream,
  range?: DataRange,
): Promise<DtsError | null> {
  if (clusterId !== stream.clusterId) {
    return changed(
      'CLUSTER_CHANGED',
      // These are the words of Alibaba's SDK, which people search for.
      `Cluster changed from ${clusterId} to ${stream.clusterId}, consumer require restart. ` +
        `The stored offset ${offset} means nothing on the new cluster.`,
      { from: clusterId, to: stream.clusterId, offset: String(offset) },
    )
  }
  const { earliest, end } = range ?? (await stream.range())
  const facts = { offset: String(offset), earliest: String(earliest), end: String(end), clusterId }
  if (offset < earliest) {
    return changed(
      'DATA_GAP',
      `The records from offset ${offset} to ${earliest - 1n} are no longer in the data range, which begins at ${earliest}: ` +
        'those that were not delivered yet are lost to this stream.',
      facts,
    )
  }
  if (offset > end) {
    return changed(
      'LOG_CHANGED',
      `The stored offset ${offset} lies above the end of the log, whose next record gets offset ${end}.`,
      facts,
    )
  }
  // A log that was trimmed up to the offset has nothing left to compare. Then the cluster id alone decides.
  if (tail === null || tail.offset < earliest) return null
  const missing = await missingRecord(tail, anchor, stream, earliest)
  if (missing === null) return null
  return changed(
    'LOG_CHANGED',
    `Another record, or none, is at offset ${missing}, which was committed last.`,
    facts,
  )
}

/** The offset of a committed record that the log does not have; null if it has both that are compared. */
async function missingRecord(
  tail: NonNullable<LogPosition['tail']>,
  anchor: LogPosition['anchor'],
  stream: Stream,
  earliest: bigint,
): Promise<bigint | null> {
  const last = await recordAt(stream, tail.offset)
  if (last === null || digestOf(last.value) !== tail.digest) return tail.offset
  // Filler is the same in every log, so after filler the last change is compared too.
  if (!isFiller(last.size) || anchor === null || anchor.offset < earliest) return null
  const change = await recordAt(stream, anchor.offset)
  return change === null || !isChangeOf(anchor, change.value) ? anchor.offset : null
}

async function recordAt(stream: Stream, offset: bigint): Promise<LogRecord | null> {
  const { records, nextOffset, end } = await stream.fetch(offset, glance)
  if (nextOffset === offset && offset < end) throw nothingBelowEnd(offset, end)
  const first = records.at(0)
  return first?.offset === offset ? first : null
}

function changed(code: 'CLUSTER_CHANGED' | 'LOG_CHANGED' | 'DATA_GAP', what: string, facts: Facts): DtsError {
  return new DtsError(code, `${what} The poller delivers no change until the checkpoint is moved.`, {
    retryable: false,
    facts,
    next: [
      { action: 'inspect', purpose: 'see first whether changes are lost' },
      { action: 'reset', purpose: 'move the checkpoint then' },
    ],
  })
}
