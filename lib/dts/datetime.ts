import type { Cursor } from './cursor.ts'

/** Parts of a DateTime in the order of the wire, named for the paths of errors. */
const plainParts = ['year', 'month', 'day', 'hour', 'minute', 'second', 'millis'] as const
const zonedParts = plainParts.map((part) => `value.${part}`)

const secondsPerDay = 86_400
/** The days that JavaScript's Date can hold on either side of 1970. */
const maxDay = 100_000_000

const twoDigits = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0'))
const threeDigits = Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, '0'))
/** `07.` by the second, and `042Z` by the microsecond within its millisecond. */
const secondTexts = twoDigits.slice(0, 60).map((text) => `${text}.`)
const microTexts = threeDigits.map((text) => `${text}Z`)
/** `11:33:` by the minute of the day. */
const minuteTexts = Array.from(
  { length: 1440 },
  (_, n) => `${twoDigits[Math.floor(n / 60)]}:${twoDigits[n % 60]}:`,
)
const spacedMinuteTexts = minuteTexts.map((text) => ` ${text}`)

/**
 * Reads `Timestamp { timestamp long, millis int }` as ISO 8601 in UTC with six digits of a second, such as
 * `2026-11-23T11:33:00.000001Z`. Six digits always, so that the values of one column compare as strings.
 * `millis` holds microseconds, whatever the source: Alibaba's SDK reads it so.
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

/** @param seconds within the days of JavaScript's Date */
export function isoText(seconds: number, micros: number): string {
  const minute = Math.floor(seconds / 60)
  const millis = (micros / 1000) | 0
  return (
    isoMinute(minute) +
    // The short pieces first: up to twelve characters are joined by copying.
    ((secondTexts[seconds - minute * 60] as string) +
      threeDigits[millis] +
      microTexts[micros - millis * 1000])
  )
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
 * A fraction of a second that is not zero follows with six digits. A zero one is left out, as in Alibaba's own
 * clients: a record does not say how many digits the column was declared with, and a column declared with none
 * may carry a zero. Years before 0 have a leading minus. Other sets of parts, and parts out of range, are refused.
 */
export function readDateTime(cursor: Cursor): string | number {
  const start = cursor.position
  const present = readParts(cursor, plainParts)
  return present === 1 ? (found[0] as number) : print(cursor, start, present)
}

/** Reads `TimestampWithTimeZone { value DateTime, timezone string }`: the DateTime, a space, the zone as written. */
export function readZonedDateTime(cursor: Cursor): string {
  const start = cursor.position
  const present = readParts(cursor, zonedParts)
  const text = present === 1 ? printYear(found[0] as number) : print(cursor, start, present)
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

/** What `readParts` found, in the order of the wire; a part that is null is 0. */
const found = new Int32Array(7)

const dateBits = 0b0000111
const timeBits = 0b0111000
const fractionBit = 0b1000000

/** @returns which parts of `found` are present, one bit each; a fraction of zero counts as absent */
function readParts(cursor: Cursor, names: readonly string[]): number {
  const behind = cursor.end - cursor.position < quickBytes ? -1 : quickDateTime(cursor.bytes, cursor.position)
  if (behind < 0) return readPartsCarefully(cursor, names)
  cursor.position = behind
  return foundPresent
}

/** The most bytes that `quickDateTime` looks at: a byte for the branch and two for the number, seven times. */
const quickBytes = 7 * 3
/** Which parts of `found` the last `quickDateTime` found. */
let foundPresent = 0

/**
 * Reads the parts of a DateTime into `found` for what nearly all times are: no part takes more than two bytes, and
 * none is malformed. The record must have as many bytes from `at` on as seven such parts take.
 * @returns where the DateTime ends; -1 for everything else
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
    found[part] = value
  }
  const micros = found[6] as number
  foundPresent = micros === 0 ? present & ~fractionBit : present | fractionBit
  return at
}

/** What the last `quickDateTime` found, when that is a date and a time of day without fraction; else empty. */
export function quickDateTimeText(): string {
  const year = found[0] as number
  const month = found[1] as number
  const day = found[2] as number
  const hour = found[3] as number
  const minute = found[4] as number
  const second = found[5] as number
  if (foundPresent !== (dateBits | timeBits) || (year | month | day | hour | minute | second) < 0) return ''
  if (month > 12 || day > 31 || hour > 23 || minute > 59 || second > 60) return ''
  return dateText(year, month, day) + ((spacedMinuteTexts[hour * 60 + minute] as string) + twoDigits[second])
}

function readPartsCarefully(cursor: Cursor, names: readonly string[]): number {
  let present = 0
  for (let part = 0; part < 6; part++) {
    const name = names[part] as string
    found[part] = 0
    if (cursor.index(2, name) === 1) {
      found[part] = cursor.int(name)
      present |= 1 << part
    }
  }
  const name = names[6] as string
  const micros = cursor.index(2, name) === 0 ? 0 : readFraction(cursor, name)
  found[6] = micros
  return micros === 0 ? present : present | fractionBit
}

/** @returns microseconds, less than a second in either direction */
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

/** Texts of the dates seen last, by year, month and day; a table's dates are mostly few. */
const dateTexts = new Array<string>(512).fill('')
const dateNumbers = new Array<number>(512).fill(-1)

function printDate(cursor: Cursor, start: number, present: number): string {
  const year = found[0] as number
  const month = found[1] as number
  const day = found[2] as number
  if (month < 0 || month > 12 || day < 0 || day > 31) {
    throw cursor.failAt(start, '', 'a month or day out of range')
  }
  if (present !== dateBits) return `${printYear(year)}-${twoDigits[month]}`
  if (year < 0) return `${printYear(year)}-${twoDigits[month]}-${twoDigits[day]}`
  return dateText(year, month, day)
}

function dateText(year: number, month: number, day: number): string {
  const number = (year * 13 + month) * 32 + day
  const slot = number & 511
  if (dateNumbers[slot] !== number) {
    dateTexts[slot] = `${printYear(year)}-${twoDigits[month]}-${twoDigits[day]}`
    dateNumbers[slot] = number
  }
  return dateTexts[slot] as string
}

/** A time of day: hour, minute, second and fraction of `found`. */
function printClock(cursor: Cursor, start: number): string {
  const hour = found[3] as number
  const minute = found[4] as number
  const second = found[5] as number
  const micros = found[6] as number
  const isNegative = hour < 0 || minute < 0 || second < 0 || micros < 0
  // The end of a day can be written as hour 24, and a day has nothing after its end.
  const isBeyond = hour > 24 || (hour === 24 && (minute > 0 || second > 0 || micros > 0))
  if (isNegative || isBeyond || minute > 59 || second > 60) {
    throw cursor.failAt(start, '', 'a time of day out of range')
  }
  const hourAndMinute = hour === 24 ? `24:${twoDigits[minute]}:` : minuteTexts[hour * 60 + minute]
  return micros === 0
    ? `${hourAndMinute}${twoDigits[second]}`
    : `${hourAndMinute}${twoDigits[second]}.${sixDigits(micros)}`
}

/** A time without a date, which may be negative and exceed a day. */
function printTime(cursor: Cursor, start: number): string {
  const hour = found[3] as number
  const minute = found[4] as number
  const second = found[5] as number
  const micros = found[6] as number
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

function printYear(year: number): string {
  if (year >= 1000) return String(year)
  return `${year < 0 ? '-' : ''}${String(Math.abs(year)).padStart(4, '0')}`
}

function sixDigits(micros: number): string {
  const millis = (micros / 1000) | 0
  return `${threeDigits[millis]}${threeDigits[micros - millis * 1000]}`
}

/** Texts of the minutes seen last, counted from 1970. */
const isoTexts = new Array<string>(1024).fill('')
const isoMinutes = new Array<number>(1024).fill(Number.NaN)

/** `2026-11-23T11:33:`, by the minute counted from 1970. */
function isoMinute(minute: number): string {
  const slot = minute & 1023
  if (isoMinutes[slot] !== minute) {
    const iso = new Date(minute * 60_000).toISOString()
    isoTexts[slot] = iso.slice(0, iso.indexOf('T') + 7)
    isoMinutes[slot] = minute
  }
  return isoTexts[slot] as string
}
