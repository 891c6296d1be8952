/** A value above this is milliseconds since 1970, any other is seconds. 10^10 seconds is a time in the year 2286. */
const secondsCeiling = 10_000_000_000

/** Converts a number to UNIX seconds. It may be seconds (DTS) or milliseconds (synchronisation topics, people). */
export function toSeconds(value: number): number {
  return value > secondsCeiling ? Math.floor(value / 1000) : value
}

/** The last second that a date can name: 13 September 275760. */
const lastSecond = 8_640_000_000_000

/** A number above this is not accepted as a time: in milliseconds it is after the year 2286. */
const millisecondsCeiling = secondsCeiling * 1000

/** Parses seconds, milliseconds or an ISO 8601 date-time with a zone into UNIX seconds. Null if the text is none of these. */
export function parseTime(text: string | number): number | null {
  if (typeof text === 'number' || /^\d+$/.test(text)) {
    const value = Number(text)
    const isTime = Number.isSafeInteger(value) && value >= 0 && value <= millisecondsCeiling
    // Adding 0 turns -0 into 0.
    return isTime ? toSeconds(value) + 0 : null
  }
  const zoned = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/.test(text)
  const milliseconds = zoned && isDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN
  return Number.isNaN(milliseconds) || milliseconds < 0 ? null : Math.floor(milliseconds / 1000)
}

/** An addition to the error for a text that `parseTime` refused; may be empty. */
export function timeHint(text: string | number): string {
  const isNumber = typeof text === 'number' || /^\d+$/.test(text)
  if (!isNumber || !(Number(text) > millisecondsCeiling)) return ''
  return `; ${text} is beyond the year 2286 in both units, so it seems to be microseconds or nanoseconds`
}

/** `Date.parse` reads 31 February as 3 March. */
function isDay(text: string): boolean {
  const midnight = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(text)
}

/** A time in the two forms that people search for in a message: ISO 8601 and UNIX seconds. A record's time may not be a date. */
export function formatTime(seconds: number): string {
  if (!(Math.abs(seconds) <= lastSecond)) return `no date (${seconds})`
  return `${new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')} (${seconds})`
}
