import { DtsError } from '../../lib/errors.ts'
import { LogRecords } from '../../lib/kafka/records.ts'
import type { Stream } from '../../lib/kafka/stream.ts'

/** The deployment that reads the group in these tests. */
export const self = { service: 'shop', stage: 'prod', table: 'checkpoints' }
/** For a search without a time limit. */
export const patient = { now: 0, mayGoOn: () => true }

/** The same stream with the given members replaced. */
export function like(stream: Stream, other: Partial<Stream>): Stream {
  return {
    topic: stream.topic,
    partition: stream.partition,
    clusterId: stream.clusterId,
    range: () => stream.range(),
    offsetForTime: (seconds) => stream.offsetForTime(seconds),
    fetch: (from, bounds) => stream.fetch(from, bounds),
    committed: () => stream.committed(),
    commit: (offset, timestamp, generation) => stream.commit(offset, timestamp, generation),
    close: () => stream.close(),
    ...other,
  }
}

/** The same log, but the batch from `first` to `last` cannot be read. */
export function damagedAt(
  stream: Stream,
  first: bigint,
  last = first,
  code: 'BATCH_CORRUPT' | 'BATCH_TOO_LARGE' = 'BATCH_CORRUPT',
): Stream {
  return like(stream, {
    async fetch(from, bounds) {
      if (from >= first && from <= last) throw new DtsError(code, 'damaged', { retryable: true })
      const fetched = await stream.fetch(from, bounds)
      if (from > last) return fetched
      return { ...fetched, records: only(fetched.records, (offset) => offset < first), nextOffset: first }
    },
  })
}

export function only(records: LogRecords, wanted: (offset: bigint) => boolean): LogRecords {
  return LogRecords.of(Array.from(records).filter(({ offset }) => wanted(offset)))
}
