import type { Cursor } from './cursor.ts'

/** Parts of a DateTime in the order of the wire, named for the paths of errors. */
const plainParts = ['year', 'month', 'day', 'hour', 'minute', 'second', 'millis'] as const
const zonedParts = plainParts.map((part) => `value.${part}`)

const secondsPerDay = 86_400
/** The days that JavaScript's Date can hold on either side of 1970. */
const maxDay = 100_000_000

const twoDigits = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0'))

/**
 * Reads `Timestamp { timestamp long, millis int }` as ISO 8601 in UTC with six digits of a second, such as
 * `2026-11-23T11:33:00.000001Z`. Six digits always, so that the values of one column compare as strings.
 * @param microsPerUnit what one `millis` is worth: 1 where the source writes microseconds there, else 1000
 */
export function readTimestamp(cursor: Cursor, microsPerUnit: number): string {
  const start = cursor.position
  let seconds = cursor.long('timestamp')
  let micros = readFraction(cursor, 'millis', microsPerUnit)
  if (micros < 0) {
    micros += 1_000_000
    seconds -= 1
  }
  const day = Math.floor(seconds / secondsPerDay)
  if (day < -maxDay || day >= maxDay)
    throw cursor.failAt(start, 'timestamp', 'a time outside the years of ISO 8601')
  const second = seconds - day * secondsPerDay
  const minute = Math.floor(second / 60)
  const clock = printClock(Math.floor(minute / 60), minute % 60, second % 60)
  return `${isoDate(day)}T${clock}.${sixDigits(micros)}Z`
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
export function readDateTime(cursor: Cursor, microsPerUnit: number): string | number {
  const start = cursor.position
  const present = readParts(cursor, plainParts, microsPerUnit)
  if (present === 1) return found[0] as number
  return printDateTime(cursor, start, present)
}

/** Reads `TimestampWithTimeZone { value DateTime, timezone string }`: the DateTime, a space, the zone as written. */
export function readZonedDateTime(cursor: Cursor, microsPerUnit: number): string {
  const start = cursor.position
  const present = readParts(cursor, zonedParts, microsPerUnit)
  const text = present === 1 ? printYear(found[0] as number) : printDateTime(cursor, start, present)
  const zone = cursor.string('timezone')
  return zone === '' ? text : `${text} ${zone}`
}

/** Moves over a DateTime. */
export function skipDateTime(cursor: Cursor): void {
  for (const part of plainParts) {
    if (cursor.index(2, part) === 1) cursor.skipVarint(part)
  }
}

/** What `readParts` found, in the order of the wire; a part that is null is 0. */
const found = new Int32Array(7)

const dateMask = 0b0000111
const timeMask = 0b0111000
const fractionBit = 0b1000000

/** @returns which parts of `found` are present, one bit each; a fraction of zero counts as absent */
function readParts(cursor: Cursor, names: readonly string[], microsPerUnit: number): number {
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
  found[6] = cursor.index(2, name) === 0 ? 0 : readFraction(cursor, name, microsPerUnit)
  return found[6] === 0 ? present : present | fractionBit
}

/** @returns microseconds, less than a second in either direction */
function readFraction(cursor: Cursor, name: string, microsPerUnit: number): number {
  const start = cursor.position
  const micros = cursor.int(name) * microsPerUnit
  if (micros <= -1_000_000 || micros >= 1_000_000)
    throw cursor.failAt(start, name, 'a fraction of a second or more')
  return micros
}

function printDateTime(cursor: Cursor, start: number, present: number): string {
  const [year, month, day, hour, minute, second, micros] = found as unknown as PartTuple
  const date = present & dateMask
  const time = present & timeMask
  const dateKnown = date === 0 || date === 0b011 || date === dateMask
  const timeKnown = time === 0 ? (present & fractionBit) === 0 : time === timeMask && date !== 0b011
  if (!dateKnown || !timeKnown || present === 0)
    throw cursor.failAt(start, '', 'parts that make no date or time')

  if (month < 0 || month > 12 || day < 0 || day > 31)
    throw cursor.failAt(start, '', 'a month or day out of range')
  let dateText = ''
  if (date !== 0) {
    dateText = `${printYear(year)}-${twoDigits[month]}`
    if (date === dateMask) dateText += `-${twoDigits[day]}`
    if (time === 0) return dateText
  }

  const negative = hour < 0 || minute < 0 || second < 0 || micros < 0
  if (negative && (date !== 0 || hour > 0 || minute > 0 || second > 0 || micros > 0)) {
    throw cursor.failAt(start, '', 'a time with parts of different sign')
  }
  const [h, m, s] = [Math.abs(hour), Math.abs(minute), Math.abs(second)]
  if (m > 59 || s > 60 || (date !== 0 && h > 24)) throw cursor.failAt(start, '', 'a time out of range')
  const fraction = micros === 0 ? '' : `.${sixDigits(Math.abs(micros))}`
  const timeText = `${negative ? '-' : ''}${printClock(h, m, s)}${fraction}`
  return date === 0 ? timeText : `${dateText} ${timeText}`
}

type PartTuple = [number, number, number, number, number, number, number]

function printYear(year: number): string {
  if (year >= 1000) return String(year)
  return `${year < 0 ? '-' : ''}${String(Math.abs(year)).padStart(4, '0')}`
}

function printClock(hour: number, minute: number, second: number): string {
  return `${twoDigits[hour] ?? hour}:${twoDigits[minute]}:${twoDigits[second]}`
}

function sixDigits(micros: number): string {
  return micros === 0 ? '000000' : String(micros).padStart(6, '0')
}

let lastDay = Number.NaN
let lastDate = ''

/** Date of a day counted from 1970. Neighbouring records mostly share theirs, so the last one is kept. */
function isoDate(day: number): string {
  if (day !== lastDay) {
    const iso = new Date(day * secondsPerDay * 1000).toISOString()
    lastDate = iso.slice(0, iso.indexOf('T'))
    lastDay = day
  }
  return lastDate
}
