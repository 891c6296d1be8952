import type { ColumnValue } from '../../../lib/dts/types.ts'
import { parseTime } from '../../../lib/time.ts'
import {
  binaryObject,
  dateTime,
  decimal,
  float,
  integer,
  type PlainDateTime,
  type PlainValue,
  text,
  textObject,
  timestamp,
} from '../encode.ts'

/** How a column of a type is written into a record. */
export interface ColumnType {
  /** MySQL's number of the type. */
  readonly number: number
  /** The value in a record; null if no value of the type looks like this. */
  readonly encode: (value: Exclude<ColumnValue, null>) => PlainValue
  /** What a change may have, for people. */
  readonly takes: string
}

const whole = (number: number): ColumnType => ({
  number,
  takes: 'a whole number',
  encode: (value) =>
    /^-?\d+$/.test(String(value)) && typeof value !== 'boolean' ? integer(String(value)) : null,
})
const real = (number: number): ColumnType => ({
  number,
  takes: 'a number',
  encode: (value) => (typeof value === 'number' ? float(value) : null),
})
const characters = (number: number): ColumnType => ({
  number,
  takes: 'a text',
  encode: (value) => (typeof value === 'string' ? text(value) : null),
})
const object = (number: number, name: string): ColumnType => ({
  number,
  takes: 'a text',
  encode: (value) => (typeof value === 'string' ? textObject(value, name) : null),
})
const bytes = (number: number): ColumnType => ({
  number,
  takes: '{"$binary":"base64"}',
  encode: (value) => (Buffer.isBuffer(value) ? binaryObject(value) : null),
})
const calendar = (number: number, form: RegExp, takes: string): ColumnType => ({
  number,
  takes,
  encode: (value) => (typeof value === 'string' ? partsOf(form.exec(value)) : null),
})

const date = '(?<year>\\d{4})-(?<month>\\d\\d)-(?<day>\\d\\d)'
const time = '(?<hour>\\d+):(?<minute>\\d\\d):(?<second>\\d\\d)(?:\\.(?<fraction>\\d{1,6}))?'

/** By MySQL's name, in lower case. */
const types: Readonly<Record<string, ColumnType>> = {
  tinyint: whole(1),
  smallint: whole(2),
  int: whole(3),
  mediumint: whole(9),
  bigint: whole(8),
  year: whole(13),
  bit: whole(16),
  float: real(4),
  double: real(5),
  decimal: {
    number: 246,
    takes: 'a decimal number, best as a text',
    encode: (value) => (/^-?\d+(\.\d+)?$/.test(String(value)) ? decimal(String(value)) : null),
  },
  char: characters(254),
  varchar: characters(253),
  text: characters(252),
  json: object(245, 'JSON'),
  enum: object(247, 'ENUM'),
  set: object(248, 'SET'),
  binary: bytes(254),
  varbinary: bytes(253),
  blob: bytes(252),
  timestamp: {
    number: 7,
    takes: 'a time such as 2026-11-23T11:33:00Z',
    encode: (value) => (typeof value === 'string' ? instantOf(value) : null),
  },
  datetime: calendar(12, new RegExp(`^${date} ${time}$`), 'a time such as 2026-11-23 11:33:00'),
  date: calendar(10, new RegExp(`^${date}$`), 'a date such as 2026-11-23'),
  time: calendar(11, new RegExp(`^(?<sign>-?)${time}$`), 'a time such as 11:33:00'),
}

/** The names of the types, for messages. */
export const typeNames: readonly string[] = Object.keys(types)

/** @returns undefined for a name that no type has */
export function typeNamed(name: string): ColumnType | undefined {
  const lower = name.toLowerCase()
  return Object.hasOwn(types, lower) ? types[lower] : undefined
}

/** @returns undefined for a number that none of the types has */
export function typeNumbered(number: number): ColumnType | undefined {
  return Object.values(types).find((type) => type.number === number)
}

function instantOf(value: string): PlainValue {
  const form = new RegExp(`^${date}[T ]${time}Z$`)
  const { year, month, day, hour, minute, second, fraction } = form.exec(value)?.groups ?? {}
  const seconds = parseTime(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return seconds === null ? null : timestamp(seconds, microsOf(fraction))
}

function partsOf(found: RegExpExecArray | null): PlainValue {
  if (found === null) return null
  const { sign, fraction, ...given } = found.groups ?? {}
  const factor = sign === '-' ? -1 : 1
  const parts: Record<string, number> = {}
  for (const [name, digits] of Object.entries(given)) {
    if (digits !== undefined) parts[name] = factor * Number(digits)
  }
  const { month = 0, day = 0, minute = 0, second = 0 } = parts
  if (month > 12 || day > 31 || Math.abs(minute) > 59 || Math.abs(second) > 59) return null
  if (parts.hour !== undefined) parts.millis = factor * microsOf(fraction)
  return dateTime(parts satisfies PlainDateTime)
}

function microsOf(fraction = ''): number {
  return Number(fraction.padEnd(6, '0'))
}
