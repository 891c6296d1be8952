import { carriesChange, isFiller, readHeader } from '../../../lib/dts/header.ts'
import type { RecordHeader } from '../../../lib/dts/types.ts'
import { DtsError, isDtsError } from '../../../lib/errors.ts'
import type { LogRecord } from '../../../lib/kafka/records.ts'
import type { Stream } from '../../../lib/kafka/stream.ts'
import { toSeconds } from '../../../lib/time.ts'
import type { Place } from '../../operate/tail/arguments.ts'
import { partOf } from '../../operate/tail/read.ts'
import { type Reopening, reopen } from '../../operate/tail/reopen.ts'
import type { LocalStream } from '../origin.ts'
import type { LocalRecord } from '../shop.ts'

const fetchBounds = { maxBytes: 1024 * 1024, maxWaitMs: 500 }
/** The local copy is in memory. So reading waits while the local functions have this many records before them. */
const mostWaiting = 50_000n
const waitMs = 200
/** Larger gaps between offsets are not filled, so that offsets differ from then on. */
const largestGap = 100_000n

/** Where the copy of a stream begins. */
export interface Beginning {
  readonly stream: Stream
  readonly offset: bigint
  /** The source time of the first record, in seconds; now, if there is none yet. */
  readonly time: number
}

/** @param now in seconds. @throws DtsError of the connection, or CHECKPOINT_OUT_OF_RANGE */
export async function beginMirror(open: () => Promise<Stream>, from: Place, now: number): Promise<Beginning> {
  const stream = await open()
  try {
    const part = await partOf(stream, from, null, true)
    return { stream, offset: part.from, time: (await timeAt(stream, part.from)) ?? now }
  } catch (error) {
    await stream.close()
    throw error
  }
}

async function timeAt(stream: Stream, offset: bigint): Promise<number | null> {
  const { end } = await stream.range()
  if (offset >= end) return null
  const { records, free } = await stream.fetch(offset, fetchBounds)
  try {
    for (const record of records) {
      const time = timeOf(record)
      if (time !== null) return time
    }
    return null
  } finally {
    free()
  }
}

/**
 * Copies a stream into the local one, until an abort. It reads as tail does: the source gets no commit, and no group is joined.
 * @throws DtsError CLUSTER_CHANGED if the source moved, or an error of reading that does not pass
 */
export async function runMirror(
  beginning: Beginning,
  target: Pick<LocalStream, 'append' | 'waiting' | 'note'>,
  reopening: Reopening,
): Promise<void> {
  const { signal } = reopening
  let { stream, offset, time } = beginning
  const { clusterId } = stream
  const close = () => void stream.close()
  signal.addEventListener('abort', close)
  try {
    while (!signal.aborted) {
      if (target.waiting() > mostWaiting) {
        await reopening.wait(waitMs)
        continue
      }
      try {
        const { records, nextOffset, free } = await stream.fetch(offset, fetchBounds)
        const copies = [...copiesOf(records, offset, nextOffset, time)]
        free()
        await target.append(copies)
        offset = nextOffset
        time = copies.at(-1)?.timestamp ?? time
      } catch (error) {
        if (signal.aborted) return
        if (!isDtsError(error) || !error.retryable) throw error
        target.note(`${error.message} Connecting again.`)
        await stream.close()
        const next = await reopen(reopening)
        if (next === null) return
        stream = next
        if (next.clusterId !== clusterId) throw moved(clusterId, next.clusterId)
      }
    }
  } finally {
    signal.removeEventListener('abort', close)
    await stream.close()
  }
}

/** Each record, and fillers for the offsets between them, so that the local offsets are those of the source. */
function* copiesOf(
  records: Iterable<LogRecord>,
  from: bigint,
  to: bigint,
  before: number,
): Generator<LocalRecord> {
  let expected = from
  let timestamp = before
  for (const record of records) {
    yield* fillers(record.offset - expected, timestamp)
    const { value, size } = record
    const header = headerOf(value, size)
    if (header !== null) timestamp = toSeconds(header.sourceTimestamp)
    // The fetched bytes are freed.
    yield { value: value === null ? null : Buffer.from(value), timestamp, ...tableOf(header) }
    expected = record.offset + 1n
  }
  yield* fillers(to - expected, timestamp)
}

function* fillers(count: bigint, timestamp: number): Generator<LocalRecord> {
  if (count > largestGap) return
  for (let left = count; left > 0n; left--) yield { value: null, timestamp }
}

/** Null for a record that carries no time. A record that cannot be read is the poller's to report. */
function timeOf({ value, size }: LogRecord): number | null {
  const header = headerOf(value, size)
  return header === null ? null : toSeconds(header.sourceTimestamp)
}

function tableOf(header: RecordHeader | null): { readonly table?: string } {
  if (header === null || header.objectName === null) return {}
  return carriesChange(header.operation) && header.operation !== 'DDL' ? { table: header.objectName } : {}
}

function headerOf(value: Buffer | null, size: number): RecordHeader | null {
  if (value === null || isFiller(size)) return null
  try {
    return readHeader(value)
  } catch {
    return null
  }
}

function moved(from: string, to: string): DtsError {
  return new DtsError(
    'CLUSTER_CHANGED',
    `Cluster changed from ${from} to ${to}, consumer require restart. The new cluster has other offsets, so the local copy ends here. ` +
      'Run npm start -- --dts again.',
    { retryable: false, facts: { from, to } },
  )
}
