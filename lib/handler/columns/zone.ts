/** What `resolveLocal` does with a local time that a zone has twice, or not at all; named as in Temporal. */
export type Disambiguation = 'reject' | 'earlier' | 'later'

/** The offset of a zone from UTC at an instant, both in milliseconds. */
export type Zone = (instantMs: number) => number

const dayMs = 86_400_000
const fixedOffset = /^(?:UTC|GMT)?([+-])([0-9]{1,2})(?::?([0-5][0-9]))?(?::([0-5][0-9]))?$/

/** Zones in use, by name. Names can come from the stream, so that the number of them is bounded. */
const zones = new Map<string, Zone>()
const maxZones = 64

/**
 * @param name `UTC`, `Z`, `GMT`, an offset such as `+08:00` or `GMT-3`, or an IANA name
 * @returns null for any other, abbreviations among them: the same letters name zones in several countries
 */
export function zoneOf(name: string): Zone | null {
  const known = zones.get(name)
  if (known !== undefined) return known
  const zone = fixedZone(name) ?? namedZone(name)
  if (zone === null) return null
  if (zones.size >= maxZones) zones.clear()
  zones.set(name, zone)
  return zone
}

function fixedZone(name: string): Zone | null {
  if (name === 'UTC' || name === 'Z' || name === 'GMT') return () => 0
  const match = fixedOffset.exec(name)
  if (match === null) return null
  const offset = offsetOf(match)
  return Math.abs(offset) > 18 * 3_600_000 ? null : () => offset
}

function offsetOf([, sign, hours = '0', minutes = '0', seconds = '0']: RegExpExecArray): number {
  const size = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
  return sign === '-' ? -size : size
}

/** The names of the IANA database are of the form Area/Location; `SystemV` is an area of the ICU library alone. */
const ianaName = /^(?!SystemV\/)[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)+$/i

/**
 * IANA's older names without a slash, in small letters. Abbreviations are not among them, even where IANA has a zone
 * by the same letters: EST is also Australia's, and IANA's CET has a summer time, which the abbreviation has not.
 */
const oldNames: ReadonlySet<string> = new Set(
  (
    'cuba egypt eire gb gb-eire gmt gmt0 gmt+0 gmt-0 greenwich hongkong iceland iran israel jamaica japan kwajalein ' +
    'libya navajo nz nz-chat poland portugal prc roc rok singapore turkey uct universal utc w-su zulu ' +
    'est5edt cst6cdt mst7mdt pst8pdt'
  ).split(' '),
)

function namedZone(name: string): Zone | null {
  // Intl knows more: CST is Chicago to it, AST Alaska and BST Dhaka.
  if (!ianaName.test(name) && !oldNames.has(name.toLowerCase())) return null
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' })
  } catch {
    return null
  }
  return (instantMs) => {
    // Printed as `11/23/2026, GMT+08:00`; zones before standard time have seconds, UTC itself nothing.
    const printed = format.format(instantMs)
    const match = fixedOffset.exec(printed.slice(printed.indexOf('GMT')))
    return match === null ? 0 : offsetOf(match)
  }
}

/**
 * The instant at which the clocks of a zone show a local time.
 * @param localMs the local time, as milliseconds since 1970 as though it were UTC
 * @returns milliseconds since 1970, or the reason why there is no single answer
 */
export function resolveLocal(zone: Zone, localMs: number, disambiguation: Disambiguation): number | string {
  const before = zone(localMs - dayMs)
  const after = zone(localMs + dayMs)
  const fits = (offset: number) => zone(localMs - offset) === offset
  const candidates = (before === after ? [before] : [before, after]).filter(fits)
  const [first, second] = candidates
  if (first !== undefined && second === undefined) return localMs - first
  if (disambiguation === 'reject') {
    return first === undefined
      ? 'is a local time that the zone leaves out (clocks go forward)'
      : 'is a local time that the zone has twice (clocks go back)'
  }
  const instants = [localMs - before, localMs - after]
  return disambiguation === 'earlier' ? Math.min(...instants) : Math.max(...instants)
}
