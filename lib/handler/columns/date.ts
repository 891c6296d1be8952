import * as z from 'zod'
import { DtsError } from '../../errors.ts'
import { valueFree } from './issues.ts'
import { type Disambiguation, resolveLocal, type Zone, zoneOf } from './zone.ts'

/** How `dateColumn` reads a text without a zone. */
export interface DateOptions {
  /**
   * The zone that the column's local times are in: `UTC`, an offset such as `+08:00`, or an IANA name such as
   * `Asia/Shanghai`. DATETIME, DATE and timestamps without zone need it. A zone in the text takes precedence.
   */
  readonly zone?: string
  /** The result for a zero date (`0000-00-00`, or a month or day of 00). Default: `reject`. */
  readonly zeroDate?: 'reject' | 'null'
  /**
   * The result for a local time that the zone has twice or leaves out: the earlier or the later of the two possible
   * instants, as in Temporal. Default: `reject`.
   */
  readonly disambiguation?: Disambiguation
}

/**
 * Year, month, day; optionally time and fraction; optionally a zone: `2026-11-23`, `2026-11-23 11:33:00.000001`,
 * `2026-11-23T11:33:00.000001Z`, `2026-11-23 11:33:00 +08:00`, and PostgreSQL's `2026-11-23 11:33:00+08`.
 */
const dateTime =
  /^([+-]?[0-9]{4,6})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:(Z| ?[+-][0-9:]{1,9})| (\S{1,64}))?)?$/

/** Three days less than the range of a Date, so that the zone's offsets of the neighbouring days exist. */
const maxLocalMs = 8.64e15 - 3 * 86_400_000

/**
 * A date or timestamp column as a Date. Dates have milliseconds: smaller fractions are cut off.
 * @throws DtsError CONFIG_INVALID for an unknown zone
 */
export function dateColumn(
  options: DateOptions & { readonly zeroDate: 'null' },
): z.ZodType<Date | null, string>
export function dateColumn(options?: DateOptions & { readonly zeroDate?: 'reject' }): z.ZodType<Date, string>
export function dateColumn(options: DateOptions = {}): z.ZodType<Date | null, string> {
  const { zeroDate = 'reject', disambiguation = 'reject' } = options
  const declared = declaredZone(options.zone)
  return z.string().transform((text, context) => {
    const found = readDate(text, declared, disambiguation)
    if (found === 'zero' && zeroDate === 'null') return null
    if (found instanceof Date) return found
    const message = messages[found] ?? found
    context.issues.push({ code: 'custom', message, input: text, params: valueFree })
    return z.NEVER
  })
}

const messages: Readonly<Record<string, string>> = {
  zero: "is a zero date: declare { zeroDate: 'null' } to get null for it",
}

function declaredZone(name: string | undefined): Zone | null {
  if (name === undefined) return null
  const zone = zoneOf(name)
  if (zone !== null) return zone
  throw new DtsError(
    'CONFIG_INVALID',
    `dateColumn: ${JSON.stringify(name)} does not name one time zone. Use UTC, an offset such as +08:00, or an IANA name ` +
      'such as Asia/Shanghai. An abbreviation such as CST, BST or EST names zones of several countries.',
    { retryable: false },
  )
}

/** @returns the instant, `zero`, or the reason why the text is not an instant */
function readDate(text: string, declared: Zone | null, disambiguation: Disambiguation): Date | string {
  const match = dateTime.exec(text)
  if (match === null) return 'is not a date, or a date and time'
  const [, year = '', month = '', day = '', hour = '0', minute = '0', second = '0', fraction = ''] = match
  if (month === '00' || day === '00') return 'zero'
  // Sources disagree on whether a year 0 precedes the year 1.
  if (year.startsWith('-')) return 'is before the year 0'
  const local = new Date(0)
  local.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  if (!(Math.abs(local.getTime()) < maxLocalMs)) return 'is outside of the range of a Date'
  if (local.getUTCMonth() !== Number(month) - 1) return 'has a day that its month does not have'
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return 'has a time outside of the day'
  local.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, '0').slice(0, 3)))
  const ownZone = match[8]?.trim() ?? match[9]
  const zone = ownZone === undefined ? declared : zoneOf(ownZone)
  if (zone === null) {
    return ownZone === undefined
      ? "has no zone of its own: declare one, such as { zone: 'UTC' }"
      : 'has an unknown time zone: UTC, GMT, Z, offsets and IANA names are accepted, abbreviations such as CST name several zones'
  }
  const instant = resolveLocal(zone, local.getTime(), disambiguation)
  return typeof instant === 'string' ? instant : new Date(instant)
}
