/** A value above this is milliseconds since 1970, one at or below it seconds (10^10 s lies in the year 2286). */
const secondsCeiling = 10_000_000_000

/** UNIX seconds out of a number that may be seconds (DTS) or milliseconds (synchronisation topics, people). */
export function toSeconds(value: number): number {
  return value > secondsCeiling ? Math.floor(value / 1000) : value
}

/** The last second that a date can name: 13 September 275760. */
const lastSecond = 8_640_000_000_000

/** A number above this is no time that people mean: as milliseconds it lies beyond the year 2286. */
const millisecondsCeiling = secondsCeiling * 1000

/** UNIX seconds out of seconds, milliseconds or an ISO 8601 date-time with a zone; null when it is none of them. */
export function parseTime(text: string | number): number | null {
  if (typeof text === 'number' || /^\d+$/.test(text)) {
    const value = Number(text)
    const isTime = Number.isSafeInteger(value) && value >= 0 && value <= millisecondsCeiling
    // Adding 0 makes 0 of -0.
    return isTime ? toSeconds(value) + 0 : null
  }
  const zoned = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/.test(text)
  const milliseconds = zoned && isDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN
  return Number.isNaN(milliseconds) || milliseconds < 0 ? null : Math.floor(milliseconds / 1000)
}

/** What to say beside a refusal of `parseTime`; empty when there is nothing to add. */
export function timeHint(text: string | number): string {
  const isNumber = typeof text === 'number' || /^\d+$/.test(text)
  if (!isNumber || !(Number(text) > millisecondsCeiling)) return ''
  return `; ${text} is beyond the year 2286 in both units, so it seems to be microseconds or nanoseconds`
}

/** `Date.parse` takes 31 February for 3 March. */
function isDay(text: string): boolean {
  const midnight = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(text)
}

/** A time in both forms that people look for in a message: ISO 8601 and UNIX seconds. Records may have times that are none. */
export function formatTime(seconds: number): string {
  if (!(Math.abs(seconds) <= lastSecond)) return `no date (${seconds})`
  return `${new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')} (${seconds})`
}
