import { startOfTimes } from '../../lib/checkpoint/source-times.ts'
import { type Checkpoint, freshPosition, type Position } from '../../lib/checkpoint/types.ts'
import { ReadRecords } from '../../lib/dispatch/read-records.ts'
import { isFiller, readHeader } from '../../lib/dts/header.ts'
import { DtsError } from '../../lib/errors.ts'
import { LogRecords } from '../../lib/kafka/records.ts'
import type { Stream } from '../../lib/kafka/stream.ts'
import type { Progress } from '../../lib/log/progress.ts'
import { ReadWindow } from '../../lib/log/read-window.ts'
import { compareWith, surveyLog } from '../../lib/log/survey.ts'
import { type ChosenPlace, choosePlace } from '../../lib/recovery/move/choose-place.ts'
import type { Move } from '../../lib/recovery/move/decide.ts'
import { planMove } from '../../lib/recovery/move/plan-move.ts'
import { resolveTarget, type Target } from '../../lib/recovery/move/target.ts'
import type { NewRecord } from './parts.ts'
import { t0 } from './records.ts'

/** The deployment that reads the group in these tests. */
export const self = { service: 'shop', stage: 'prod', table: 'checkpoints' }
/** For a search without a time limit. */
export const patient = { now: () => 0, mayContinue: () => true }

/** A checkpoint with this progress, as a halted run leaves it. */
export function checkpointOf(progress: Progress): Checkpoint {
  return {
    ...freshPosition(progress.offset, progress.timestamp),
    ...progress,
    key: 'topic/0',
    epoch: 1,
    owner: null,
    leaseUntil: 0,
    generation: 1,
    replayUntil: -1,
    state: 'HALTED',
    halt: null,
    ledger: [],
    wish: null,
  }
}

/** The checkpoint that a halted poller leaves after it has handled these records, the first ones of another cluster's log. */
export function committedAfter(records: readonly NewRecord[], lanes: Position['lanes'] = {}): Checkpoint {
  const read = new ReadRecords(
    LogRecords.of(records.map(({ value }, index) => ({ offset: BigInt(index), value }))),
    0,
    records.length,
  )
  for (const { value } of records)
    read.push(value === null || isFiller(value.length) ? null : readHeader(value))
  const start = { offset: 0n, timestamp: t0, times: startOfTimes(t0), anchor: null, tail: null }
  const readWindow = new ReadWindow(start)
  readWindow.add(read, BigInt(records.length))
  return checkpointOf({ clusterId: 'another', ...readWindow.advanceTo(BigInt(records.length)), lanes })
}

/** The move that a reset would make, whatever it loses. @throws DtsError if the reset would be refused */
export async function moveTo(
  to: Target | undefined,
  read: Checkpoint | null,
  stream: Stream,
  limits = patient,
): Promise<Move> {
  const request = { to, mayLose: true, countsRepeats: true, wantsNext: false }
  const { decision } = await planMove(request, read, stream, limits)
  if (decision.kind === 'refusal') throw decision.error
  return decision
}

/** The place that a reset without `to` would choose. @throws DtsError if the reset would be refused */
export async function placeOf(read: Checkpoint, stream: Stream): Promise<ChosenPlace> {
  const survey = await surveyLog(stream, read)
  const target = resolveTarget(undefined, read, survey)
  if (target.kind === 'refusal') throw target.error
  const comparison = await compareWith(survey, stream, patient.mayContinue)
  const chosen = choosePlace({ target, read, survey, comparison, now: patient.now() })
  if (chosen.kind === 'refusal') throw chosen.error
  return chosen
}

/** The same stream with other answers for the named methods. */
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
