/*
 * Dates and times as text. The texts of the dates and minutes seen last are kept: the rows of a table have few of them,
 * and looking one up is several times faster than putting it together.
 */

export const twoDigits = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0'))
const threeDigits = Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, '0'))
/** `07.` by the second, and `042Z` by the microsecond within its millisecond. */
const secondTexts = twoDigits.slice(0, 60).map((text) => `${text}.`)
const microTexts = threeDigits.map((text) => `${text}Z`)
/** `11:33:` by the minute of the day. */
export const minuteTexts = Array.from(
  { length: 1440 },
  (_, n) => `${twoDigits[Math.floor(n / 60)]}:${twoDigits[n % 60]}:`,
)
export const spacedMinuteTexts = minuteTexts.map((text) => ` ${text}`)

/** @param seconds within the days of JavaScript's Date */
export function isoText(seconds: number, micros: number): string {
  const minute = Math.floor(seconds / 60)
  const millis = (micros / 1000) | 0
  return (
    isoMinute(minute) +
    // Join the short pieces first: V8 copies strings of up to twelve characters, and links longer ones.
    ((secondTexts[seconds - minute * 60] as string) +
      threeDigits[millis] +
      microTexts[micros - millis * 1000])
  )
}

/** Texts of the dates seen last, by year, month and day. */
const dateTexts = new Array<string>(512).fill('')
const dateNumbers = new Array<number>(512).fill(-1)

export function dateText(year: number, month: number, day: number): string {
  const number = (year * 13 + month) * 32 + day
  const slot = number & 511
  if (dateNumbers[slot] !== number) {
    dateTexts[slot] = `${printYear(year)}-${twoDigits[month]}-${twoDigits[day]}`
    dateNumbers[slot] = number
  }
  return dateTexts[slot] as string
}

export function printYear(year: number): string {
  if (year >= 1000) return String(year)
  return `${year < 0 ? '-' : ''}${String(Math.abs(year)).padStart(4, '0')}`
}

export function sixDigits(micros: number): string {
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
    const day = Math.floor(minute / 1440)
    isoTexts[slot] = isoDay(day) + minuteTexts[minute - day * 1440]
    isoMinutes[slot] = minute
  }
  return isoTexts[slot] as string
}

/** `2026-11-23T`, by the day counted from 1970. Ten times faster than Date, because old rows have many different days. */
function isoDay(day: number): string {
  const guess = 1970 + Math.floor(day / 365.2425)
  // Leap days come at intervals that are not equal, so the guess is one year off near some New Years.
  const year = day < firstDay(guess) ? guess - 1 : day < firstDay(guess + 1) ? guess : guess + 1
  if (year < 0 || year > 9999) {
    const iso = new Date(day * 86_400_000).toISOString()
    return iso.slice(0, iso.indexOf('T') + 1)
  }
  const first = firstDay(year)
  const daysOfYear = firstDay(year + 1) - first === 366 ? leapDays : commonDays
  return printYear(year) + daysOfYear[day - first]
}

/** The first of January, in days counted from 1970. */
function firstDay(year: number): number {
  const before = year - 1
  const leaps = Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400)
  return before * 365 + leaps - 719_162
}

/** `-11-23T` by the day of a year. */
const commonDays = daysOf([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
const leapDays = daysOf([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])

function daysOf(months: readonly number[]): readonly string[] {
  return months.flatMap((days, month) =>
    Array.from({ length: days }, (_, day) => `-${twoDigits[month + 1]}-${twoDigits[day + 1]}T`),
  )
}
