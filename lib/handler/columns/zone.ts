/** The treatment of a local time that a zone has twice or leaves out. The names are those of Temporal. */
export type Disambiguation = 'reject' | 'earlier' | 'later'

/** Returns the zone's offset from UTC at an instant, both in milliseconds. */
export type Zone = (instantMs: number) => number

const dayMs = 86_400_000
const fixedOffset = /^(?:UTC|GMT)?([+-])([0-9]{1,2})(?::?([0-5][0-9]))?(?::([0-5][0-9]))?$/

/** Zones by name. Names can come from the stream, so that their number is limited. */
const zones = new Map<string, Zone>()
const maxZones = 64

/**
 * @param name `UTC`, `Z`, `GMT`, an offset such as `+08:00` or `GMT-3`, or an IANA name
 * @returns null for any other name, such as an abbreviation: the same letters name zones of several countries
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

/** Names of the IANA database have the form Area/Location. `SystemV` is an area of the ICU library only. */
const ianaName = /^(?!SystemV\/)[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)+$/i

/**
 * IANA's older names without a slash, in lower case. Abbreviations are left out, even if IANA has a zone of that name: EST
 * is also a zone of Australia, and IANA's CET has a summer time, which the abbreviation CET does not have.
 */
const oldNames: ReadonlySet<string> = new Set(
  (
    'cuba egypt eire gb gb-eire gmt gmt0 gmt+0 gmt-0 greenwich hongkong iceland iran israel jamaica japan kwajalein ' +
    'libya navajo nz nz-chat poland portugal prc roc rok singapore turkey uct universal utc w-su zulu ' +
    'est5edt cst6cdt mst7mdt pst8pdt'
  ).split(' '),
)

function namedZone(name: string): Zone | null {
  // Intl accepts abbreviations too, and reads CST as Chicago, AST as Alaska and BST as Dhaka.
  if (!ianaName.test(name) && !oldNames.has(name.toLowerCase())) return null
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' })
  } catch {
    return null
  }
  return (instantMs) => {
    // Intl prints `11/23/2026, GMT+08:00`, with seconds for times before standard time, and without an offset for UTC.
    const printed = format.format(instantMs)
    const match = fixedOffset.exec(printed.slice(printed.indexOf('GMT')))
    return match === null ? 0 : offsetOf(match)
  }
}

/**
 * The instant at which a zone has a local time.
 * @param localMs the local time, in milliseconds since 1970 as if it were UTC
 * @returns milliseconds since 1970, or the reason why there is no single instant
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
