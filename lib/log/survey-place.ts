import { leastMargin } from '../checkpoint/source-times.ts'
import type { Tail } from '../checkpoint/types.ts'
import { digestOf } from '../dts/digest.ts'
import type { DtsError } from '../errors.ts'
import type { DataRange } from '../kafka/data-range.ts'
import type { LogRecord } from '../kafka/records.ts'
import type { Stream } from '../kafka/stream.ts'
import { offsetNear } from './locate-time.ts'
import { type LastLevel, type LogEnds, lastLevel } from './log-times.ts'
import { type RepeatBounds, RepeatCounter, type Repeats } from './repeats.ts'
import { allRecords, fetchBelow, glance, holdsWork, isDamage, readTimed } from './scan.ts'

/** The last part of a survey: the records at the chosen place, and around it. */

/** The facts that a decision needs about a place. */
export interface PlaceQuestion {
  readonly offset: bigint
  /** Whether the time of the place is needed, and which time it was looked up by, in seconds. */
  readonly time: { readonly asked: number | null } | null
  /** Whether `lowestNext` is needed. */
  readonly wantsLowestNext: boolean
  /** A part of the log that a move to the place leaves out. */
  readonly leavesOut: { readonly from: bigint; readonly to: bigint } | null
  /** Which changes from the place on may repeat; null: they are not counted. */
  readonly repeats: RepeatBounds | null
  /** Whether `next` is needed. */
  readonly wantsNext: boolean
}

export interface PlaceDetails {
  /** Null if it was not asked for. */
  readonly time: PlaceTime | null
  /** A time that none of the next records is older than; null if there are none. */
  readonly lowestNext: number | null
  /** The times of the last records below the place; null if there are none, or they were not asked for. */
  readonly levelBelow: LastLevel | null
  /** Whether the part that is left out holds a change, or something unreadable. */
  readonly leavesOutWork: boolean
  /** The last record below the place, unless damage hides it. */
  readonly tail: Tail | null
  /** The digest of the first record from the place on; null at the end of the log, or if it was not asked for. */
  readonly next: string | null
  readonly repeats: Repeats
  /** The time of the youngest change that repeats, in seconds; -1: none was counted. */
  readonly youngestRepeat: number
}

/** In seconds. Nothing below the place is younger, and nothing after it is much older. */
export type PlaceTime =
  | { readonly kind: 'at'; readonly seconds: number }
  | { readonly kind: 'empty' }
  | { readonly kind: 'unreadable'; readonly fault: DtsError }

export async function surveyPlace(
  question: PlaceQuestion,
  stream: Stream,
  { range, ends }: { readonly range: DataRange; readonly ends: LogEnds },
): Promise<PlaceDetails> {
  const { offset, leavesOut } = question
  const ahead = await readAhead(question, stream, range.end)
  const leavesOutWork = leavesOut !== null && (await holdsWork(stream, leavesOut.from, leavesOut.to))
  const first = question.time === null ? null : timeFrom(ahead, ends, question.time.asked)
  const below = first?.kind === 'at' ? await readBelow(offset, first.seconds, stream, range) : null
  return {
    time: first?.kind === 'at' && below !== null ? { kind: 'at', seconds: below.youngest } : first,
    lowestNext: ahead.lowest,
    levelBelow: first === null ? null : await lastLevel(stream, { earliest: range.earliest, end: offset }),
    leavesOutWork,
    tail: below?.tail ?? (await tailBelow(offset, stream, range)),
    next: ahead.next,
    repeats: ahead.repeats,
    youngestRepeat: ahead.youngestRepeat,
  }
}

/** This many records after a place show which time it has. */
const nextRecords = 100

interface Ahead {
  readonly first: number | null
  readonly lowest: number | null
  readonly next: string | null
  readonly repeats: Repeats
  readonly youngestRepeat: number
  /** Damage that ended the reading. */
  readonly fault: DtsError | null
}

/** One pass from the place on, as far as any part of the question needs it. */
async function readAhead(
  { offset, repeats, wantsLowestNext, time, wantsNext }: PlaceQuestion,
  stream: Stream,
  end: bigint,
): Promise<Ahead> {
  const counter = new RepeatCounter(repeats, offset)
  let left = time !== null || wantsLowestNext ? nextRecords : 0
  let [first, lowest, next]: [number | null, number | null, string | null] = [null, null, null]
  let fault: DtsError | null = null
  const isOver = () => left === 0 && counter.isOver && (next !== null || !wantsNext)
  try {
    if (!isOver()) {
      for await (const record of allRecords(stream, offset, end)) {
        if (wantsNext) next ??= digestOf(record.value)
        const timed = readTimed(record)
        if (timed !== null) {
          first ??= timed.timestamp
          if (left > 0) lowest = Math.min(lowest ?? timed.timestamp, timed.timestamp)
          if (left > 0) left -= 1
          counter.see(timed)
        }
        if (isOver()) break
      }
    }
  } catch (error) {
    if (!isDamage(error)) throw error
    fault = error
    if (wantsNext) next ??= unreadable
    counter.interrupt()
  }
  return { first, lowest, next, repeats: counter.repeats, youngestRepeat: counter.youngest, fault }
}

/** Takes the place of a digest if a batch cannot be read: a reset may also be planned to a place before such a batch. */
const unreadable = 'unreadable'

/** The records around a place, to compare them with those that a dry run found. */
export interface RecordsAround {
  readonly clusterId: string
  readonly range: DataRange
  /** The digest of the first record at or after the offset of `tail`; null without one. */
  readonly below: string | null
  /** The digest of the first record at or after `offset`; null at the end of the log. */
  readonly next: string | null
}

export async function recordsAround(
  { offset, tail }: { readonly offset: bigint; readonly tail: Tail | null },
  stream: Stream,
): Promise<RecordsAround> {
  const range = await stream.range()
  const { clusterId } = stream
  if (offset < range.earliest || offset > range.end) return { clusterId, range, below: null, next: null }
  const below = tail === null ? null : await firstDigest(tail.offset, stream, range)
  return { clusterId, range, below, next: await firstDigest(offset, stream, range) }
}

/** The digest of the first record at or after an offset. Control batches leave holes among the offsets. */
async function firstDigest(offset: bigint, stream: Stream, { end }: DataRange): Promise<string | null> {
  try {
    for (let from = offset; from < end; ) {
      const { records, nextOffset } = await fetchBelow(stream, from, end, glance)
      const [first] = records
      if (first !== undefined) return digestOf(first.value)
      from = nextOffset
    }
  } catch (error) {
    if (isDamage(error)) return unreadable
    throw error
  }
  return null
}

/** @param asked the time that the place was looked up by; some brokers find a place before it */
function timeFrom({ first, fault }: Ahead, ends: LogEnds, asked: number | null): PlaceTime {
  if (first !== null) return { kind: 'at', seconds: Math.min(asked ?? first, first) }
  if (fault !== null) return { kind: 'unreadable', fault }
  if (ends.kind === 'damaged') return { kind: 'unreadable', fault: ends.fault }
  if (ends.kind === 'empty') return { kind: 'empty' }
  return { kind: 'at', seconds: Math.min(asked ?? ends.last, ends.last) }
}

/** Reads the records below a place that may be younger than `time`, and the last one of them. */
async function readBelow(
  offset: bigint,
  time: number,
  stream: Stream,
  range: DataRange,
): Promise<{ readonly youngest: number; readonly tail: Tail | null }> {
  let youngest = time
  let last: LogRecord | null = null
  const from = await offsetNear(stream, range, time - leastMargin)
  try {
    for await (const record of allRecords(stream, from, offset)) {
      const timed = readTimed(record)
      youngest = Math.max(youngest, timed?.timestamp ?? youngest)
      last = record
    }
  } catch (error) {
    if (!isDamage(error)) throw error
    // A record before the damage is not the last one below the place.
    return { youngest, tail: null }
  }
  return { youngest, tail: last === null ? null : { offset: last.offset, digest: digestOf(last.value) } }
}

/** Control batches and compaction leave holes among the offsets. The search does not cross a larger hole than this. */
const largestHole = 128n

/** The last record below an offset. The search goes downwards, because the record is mostly right below. */
async function tailBelow(offset: bigint, stream: Stream, { earliest }: DataRange): Promise<Tail | null> {
  for (let step = 1n; step <= largestHole && offset - step / 2n > earliest; step *= 2n) {
    const tail = await tailBetween(offset - step < earliest ? earliest : offset - step, offset, stream)
    if (tail !== null) return tail
  }
  return null
}

async function tailBetween(from: bigint, offset: bigint, stream: Stream): Promise<Tail | null> {
  let tail: Tail | null = null
  try {
    for (let next = from; next < offset; ) {
      const { records, nextOffset } = await fetchBelow(stream, next, offset, glance)
      const last = Array.from(records).findLast((record) => record.offset < offset)
      if (last !== undefined) tail = { offset: last.offset, digest: digestOf(last.value) }
      next = nextOffset
    }
  } catch (error) {
    // A damaged batch may be right below the place. A record before that batch identifies the log too.
    if (!isDamage(error)) throw error
  }
  return tail
}
