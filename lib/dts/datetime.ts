import type { Cursor } from './cursor.ts'
import {
  dateText,
  isoText,
  minuteTexts,
  printYear,
  sixDigits,
  spacedMinuteTexts,
  twoDigits,
} from './datetime-text.ts'

/** Parts of a DateTime in the order of the record. Errors name them in their paths. */
const plainParts = ['year', 'month', 'day', 'hour', 'minute', 'second', 'millis'] as const
const zonedParts = plainParts.map((part) => `value.${part}`)

const secondsPerDay = 86_400
/** JavaScript's Date covers this many days before and after 1970. */
const maxDay = 100_000_000

/**
 * Reads `Timestamp { timestamp long, millis int }` as ISO 8601 in UTC with six digits of a second, such as
 * `2026-11-23T11:33:00.000001Z`. There are always six digits, so that the values of one column compare as strings.
 * `millis` contains microseconds for every source, as Alibaba's SDK reads it.
 */
export function readTimestamp(cursor: Cursor): string {
  const start = cursor.position
  let seconds = cursor.long('timestamp')
  let micros = readFraction(cursor, 'millis')
  if (micros < 0) {
    micros += 1_000_000
    seconds -= 1
  }
  const day = Math.floor(seconds / secondsPerDay)
  if (day < -maxDay || day >= maxDay) {
    throw cursor.failAt(start, 'timestamp', 'a time outside the years of ISO 8601')
  }
  return isoText(seconds, micros)
}

/**
 * Reads a DateTime as the database prints it.
 *
 * | parts that are not null | value                                                      |
 * |-------------------------|------------------------------------------------------------|
 * | year                    | number (YEAR)                                              |
 * | year, month             | `2026-11`                                                  |
 * | date                    | `2026-11-23`, `0000-00-00`                                 |
 * | time                    | `11:33:00`, `-838:59:59`; every part negative or zero      |
 * | date and time           | `2026-11-23 11:33:00`                                      |
 *
 * A fraction of a second that is not zero follows with six digits. A fraction of zero is left out, as in Alibaba's
 * clients: a record does not contain the declared number of digits, and a column without fractions may carry a zero.
 * Years before 0 have a leading minus. Other sets of parts, and parts out of range, are refused.
 */
export function readDateTime(cursor: Cursor): string | number {
  const start = cursor.position
  const present = readParts(cursor, plainParts)
  return present === 1 ? (parts[0] as number) : print(cursor, start, present)
}

/** Reads `TimestampWithTimeZone { value DateTime, timezone string }`: the DateTime, a space, the zone as written. */
export function readZonedDateTime(cursor: Cursor): string {
  const start = cursor.position
  const present = readParts(cursor, zonedParts)
  const text = present === 1 ? printYear(parts[0] as number) : print(cursor, start, present)
  const zone = cursor.string('timezone')
  return zone === '' ? text : `${text} ${zone}`
}

/** Moves over a DateTime. */
export function skipDateTime(cursor: Cursor): void {
  for (let part = 0; part < 7; part++) {
    const name = plainParts[part] as string
    if (cursor.index(2, name) === 1) cursor.skipVarint(name)
  }
}

/** The parts that were read last, in the order of the record; a part that is null is 0. */
const parts = new Int32Array(7)

const dateBits = 0b0000111
const timeBits = 0b0111000
const fractionBit = 0b1000000

/** @returns one bit for each of `parts` that is present; a fraction of zero counts as absent */
function readParts(cursor: Cursor, names: readonly string[]): number {
  const next = cursor.end - cursor.position < quickBytes ? -1 : quickDateTime(cursor.bytes, cursor.position)
  if (next < 0) return readPartsCarefully(cursor, names)
  cursor.position = next
  return partsPresent
}

/** `quickDateTime` reads at most this many bytes: seven parts of one byte for the branch and two for the number. */
const quickBytes = 7 * 3
/** One bit for each of `parts` that the last `quickDateTime` found. */
let partsPresent = 0

/**
 * Reads the parts of a DateTime into `parts` if no part takes more than two bytes and none is malformed, which is true
 * of nearly all. The caller makes sure that `quickBytes` bytes are left.
 * @returns the position after the DateTime; -1 for any other DateTime
 */
export function quickDateTime(bytes: Buffer, start: number): number {
  let at = start
  let present = 0
  for (let part = 0; part < 7; part++) {
    const branch = bytes[at++] as number
    let value = 0
    if (branch === 2) {
      let raw = bytes[at++] as number
      if (raw >= 0x80) {
        const second = bytes[at++] as number
        if (second >= 0x80) return -1
        raw = (raw & 0x7f) | (second << 7)
      }
      value = (raw >>> 1) ^ -(raw & 1)
      present |= 1 << part
    } else if (branch !== 0) {
      return -1
    }
    parts[part] = value
  }
  const micros = parts[6] as number
  partsPresent = micros === 0 ? present & ~fractionBit : present | fractionBit
  return at
}

/** The text of the last `quickDateTime` if it is a date and a time of day without fraction; otherwise empty. */
export function quickDateTimeText(): string {
  const year = parts[0] as number
  const month = parts[1] as number
  const day = parts[2] as number
  const hour = parts[3] as number
  const minute = parts[4] as number
  const second = parts[5] as number
  if (partsPresent !== (dateBits | timeBits) || (year | month | day | hour | minute | second) < 0) return ''
  if (month > 12 || day > 31 || hour > 23 || minute > 59 || second > 60) return ''
  return dateText(year, month, day) + ((spacedMinuteTexts[hour * 60 + minute] as string) + twoDigits[second])
}

function readPartsCarefully(cursor: Cursor, names: readonly string[]): number {
  let present = 0
  for (let part = 0; part < 6; part++) {
    const name = names[part] as string
    parts[part] = 0
    if (cursor.index(2, name) === 1) {
      parts[part] = cursor.int(name)
      present |= 1 << part
    }
  }
  const name = names[6] as string
  const micros = cursor.index(2, name) === 0 ? 0 : readFraction(cursor, name)
  parts[6] = micros
  return micros === 0 ? present : present | fractionBit
}

/** @returns microseconds, between -1 and 1 second, exclusive */
function readFraction(cursor: Cursor, name: string): number {
  const start = cursor.position
  const micros = cursor.int(name)
  if (micros <= -1_000_000 || micros >= 1_000_000) {
    throw cursor.failAt(start, name, 'a fraction of a second or more')
  }
  return micros
}

function print(cursor: Cursor, start: number, present: number): string {
  switch (present & ~fractionBit) {
    case 0b0000011:
    case dateBits:
      if (present & fractionBit) break
      return printDate(cursor, start, present)
    case timeBits:
      return printTime(cursor, start)
    case dateBits | timeBits:
      return `${printDate(cursor, start, dateBits)} ${printClock(cursor, start)}`
  }
  throw cursor.failAt(start, '', 'parts that make no date or time')
}

function printDate(cursor: Cursor, start: number, present: number): string {
  const year = parts[0] as number
  const month = parts[1] as number
  const day = parts[2] as number
  if (month < 0 || month > 12 || day < 0 || day > 31) {
    throw cursor.failAt(start, '', 'a month or day out of range')
  }
  if (present !== dateBits) return `${printYear(year)}-${twoDigits[month]}`
  if (year < 0) return `${printYear(year)}-${twoDigits[month]}-${twoDigits[day]}`
  return dateText(year, month, day)
}

/** A time of day: hour, minute, second and fraction of `parts`. */
function printClock(cursor: Cursor, start: number): string {
  const hour = parts[3] as number
  const minute = parts[4] as number
  const second = parts[5] as number
  const micros = parts[6] as number
  const isNegative = hour < 0 || minute < 0 || second < 0 || micros < 0
  // 24:00:00 is the end of a day; no later time belongs to that day.
  const isBeyond = hour > 24 || (hour === 24 && (minute > 0 || second > 0 || micros > 0))
  if (isNegative || isBeyond || minute > 59 || second > 60) {
    throw cursor.failAt(start, '', 'a time of day out of range')
  }
  const hourAndMinute = hour === 24 ? `24:${twoDigits[minute]}:` : minuteTexts[hour * 60 + minute]
  return micros === 0
    ? `${hourAndMinute}${twoDigits[second]}`
    : `${hourAndMinute}${twoDigits[second]}.${sixDigits(micros)}`
}

/** A time without a date, which may be negative or longer than a day. */
function printTime(cursor: Cursor, start: number): string {
  const hour = parts[3] as number
  const minute = parts[4] as number
  const second = parts[5] as number
  const micros = parts[6] as number
  const negative = hour < 0 || minute < 0 || second < 0 || micros < 0
  if (negative && (hour > 0 || minute > 0 || second > 0 || micros > 0)) {
    throw cursor.failAt(start, '', 'a time with parts of different sign')
  }
  const hours = Math.abs(hour)
  const minutes = Math.abs(minute)
  const seconds = Math.abs(second)
  if (minutes > 59 || seconds > 60) throw cursor.failAt(start, '', 'a time out of range')
  const fraction = micros === 0 ? '' : `.${sixDigits(Math.abs(micros))}`
  const sign = negative ? '-' : ''
  return `${sign}${twoDigits[hours] ?? hours}:${twoDigits[minutes]}:${twoDigits[seconds]}${fraction}`
}
