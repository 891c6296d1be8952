import type { SampledColumn, TableSample } from './sample.ts'

/** Types of MySQL's binlog that have a column type of their own in this package. */
const mysqlTypes: Readonly<Record<number, string>> = {
  0: 'decimalColumn()',
  246: 'decimalColumn()',
  245: 'jsonColumn()',
  255: 'geometryColumn()',
}
const kindTypes = {
  number: 'z.number()',
  bigint: 'z.bigint()',
  string: 'z.string()',
  boolean: 'z.boolean()',
  Buffer: 'z.instanceof(Buffer)',
} as const

/** The type that fits every seen value of a column, as TypeScript. A column without a value accepts anything. */
export function columnType(column: SampledColumn, { sourceType }: TableSample): string {
  const { kinds, dataTypeNumber, hasNull, isSometimesAbsent } = column
  const isMySql = sourceType === 'MySQL' || sourceType === 'DRDS'
  const own = isMySql ? mysqlTypes[dataTypeNumber] : undefined
  const seen = Array.from(kinds, (kind) => kindTypes[kind]).sort()
  const type = own ?? (seen.length > 1 ? `z.union([${seen.join(', ')}])` : (seen[0] ?? 'z.unknown()'))
  const isNullable = hasNull && type !== 'z.unknown()'
  return `${type}${isNullable ? '.nullable()' : ''}${isSometimesAbsent ? '.optional()' : ''}`
}

/** The names that a type needs from 'dts-functions'. */
export function importsOf(types: Iterable<string>): string[] {
  const names = Array.from(types, (type) => /^(\w+Column)\(/.exec(type)?.[1] ?? '')
  return [...new Set(names)].filter((name) => name !== '').sort()
}

/** A property of an object literal. */
export function property(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name)
}

/** A text in single quotes, on one line. */
export function quote(text: string): string {
  const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")
  return `'${escaped.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}'`
}
