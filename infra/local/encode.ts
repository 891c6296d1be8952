import avro from 'avsc'
import { operations, sourceTypes } from '../../lib/dts/grammar.ts'
import type { Operation, SourceType } from '../../lib/dts/types.ts'

/*
 * Writes DTS records with a general Avro library, so that the decoder in lib/dts is never the judge of itself.
 * Avro encodes a record by the order of its fields and a union by the order of its branches, so both orders matter here.
 */

const record = (name: string, fields: Record<string, avro.Schema>): avro.schema.RecordType => ({
  type: 'record',
  name,
  fields: Object.entries(fields).map(([part, type]) => ({ name: part, type })),
})
const arrayOf = (items: avro.Schema): avro.schema.ArrayType => ({ type: 'array', items })

const dateTimeParts = ['year', 'month', 'day', 'hour', 'minute', 'second', 'millis'] as const

/** The branches of a value's union, in order, after null. */
const valueTypes: Record<string, avro.schema.DefinedType> = {
  Integer: record('Integer', { precision: 'int', value: 'string' }),
  Character: record('Character', { charset: 'string', value: 'bytes' }),
  Decimal: record('Decimal', { value: 'string', precision: 'int', scale: 'int' }),
  Float: record('Float', { value: 'double', precision: 'int', scale: 'int' }),
  Timestamp: record('Timestamp', { timestamp: 'long', millis: 'int' }),
  DateTime: record('DateTime', Object.fromEntries(dateTimeParts.map((part) => [part, ['null', 'int']]))),
  TimestampWithTimeZone: record('TimestampWithTimeZone', { value: 'DateTime', timezone: 'string' }),
  BinaryGeometry: record('BinaryGeometry', { type: 'string', value: 'bytes' }),
  TextGeometry: record('TextGeometry', { type: 'string', value: 'string' }),
  BinaryObject: record('BinaryObject', { type: 'string', value: 'bytes' }),
  TextObject: record('TextObject', { type: 'string', value: 'string' }),
  EmptyObject: { type: 'enum', name: 'EmptyObject', symbols: ['NULL', 'NONE'] },
}

/** All fields except the last, which records of older versions lack. */
const oldFields: Record<string, avro.Schema> = {
  version: 'int',
  id: 'long',
  sourceTimestamp: 'long',
  sourcePosition: 'string',
  safeSourcePosition: 'string',
  sourceTxid: 'string',
  source: record('Source', {
    sourceType: { type: 'enum', name: 'SourceType', symbols: [...sourceTypes] },
    version: 'string',
  }),
  operation: { type: 'enum', name: 'Operation', symbols: [...operations] },
  objectName: ['null', 'string'],
  processTimestamps: ['null', arrayOf('long')],
  tags: { type: 'map', values: 'string' },
  fields: ['null', 'string', arrayOf(record('Field', { name: 'string', dataTypeNumber: 'int' }))],
  beforeImages: ['null', 'string', arrayOf(['null', ...Object.values(valueTypes)])],
  // A schema defines a type once and refers to it by name afterwards.
  afterImages: ['null', 'string', arrayOf(['null', ...Object.keys(valueTypes)])],
}

/** Avro longs as bigint, so that all 64 bits stay exact. */
const longAsBigint = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer(value: bigint) {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64LE(value)
    return buffer
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
})

function typeOf(name: string, fields: Record<string, avro.Schema>): avro.Type {
  return avro.Type.forSchema(record(name, fields), {
    registry: { long: longAsBigint },
    wrapUnions: true,
    noAnonymousTypes: false,
  })
}

/** The record as an avsc type: longs are bigint, unions wrapped (`{ Integer: { … } }`, `{ array: [ … ] }`). */
export const recordType: avro.Type = typeOf('Record', { ...oldFields, bornTimestamp: 'long' })
/** The form of older versions, without `bornTimestamp`. */
export const oldRecordType: avro.Type = typeOf('Record', oldFields)

/** One value of an image, made by the functions below. */
export type PlainValue = { readonly [branch: string]: unknown } | null

/** A record written by hand. Each comment names the default. */
export interface PlainRecord {
  readonly operation: Operation
  /** 1 */
  readonly version?: number
  /** 1n */
  readonly id?: bigint
  /** Seconds; 1_795_433_580 (2026-11-23T11:33:00Z). */
  readonly sourceTimestamp?: number | bigint
  /** `4@1` */
  readonly sourcePosition?: string
  /** Default: the value of `sourcePosition`. */
  readonly safeSourcePosition?: string
  /** Empty. */
  readonly sourceTxid?: string
  /** MySQL */
  readonly sourceType?: SourceType
  /** `8.0.36` */
  readonly sourceVersion?: string
  /** null */
  readonly objectName?: string | null
  /** null */
  readonly processTimestamps?: readonly bigint[] | null
  /** Empty. */
  readonly tags?: { readonly [name: string]: string }
  /** Column names with their type numbers; null. */
  readonly fields?: readonly (readonly [name: string, dataTypeNumber: number])[] | string | null
  /** null */
  readonly before?: readonly PlainValue[] | string | null
  /** null */
  readonly after?: readonly PlainValue[] | string | null
  /** Milliseconds. Default: `sourceTimestamp`. null leaves the field out, like older versions. */
  readonly bornTimestamp?: bigint | null
}

/** @throws Error of avsc, when a value does not fit the schema */
export function encodeRecord(plain: PlainRecord): Buffer {
  const seconds = BigInt(plain.sourceTimestamp ?? 1_795_433_580)
  const sourcePosition = plain.sourcePosition ?? '4@1'
  const { fields = null } = plain
  const value = {
    version: plain.version ?? 1,
    id: plain.id ?? 1n,
    sourceTimestamp: seconds,
    sourcePosition,
    safeSourcePosition: plain.safeSourcePosition ?? sourcePosition,
    sourceTxid: plain.sourceTxid ?? '',
    source: { sourceType: plain.sourceType ?? 'MySQL', version: plain.sourceVersion ?? '8.0.36' },
    operation: plain.operation,
    objectName: wrapped(plain.objectName ?? null),
    processTimestamps: wrapped(plain.processTimestamps ?? null),
    tags: plain.tags ?? {},
    fields: Array.isArray(fields)
      ? wrapped(fields.map(([name, dataTypeNumber]) => ({ name, dataTypeNumber })))
      : wrapped(fields),
    beforeImages: wrapped(plain.before ?? null),
    afterImages: wrapped(plain.after ?? null),
  }
  if (plain.bornTimestamp === null) return oldRecordType.toBuffer(value)
  return recordType.toBuffer({ ...value, bornTimestamp: plain.bornTimestamp ?? seconds * 1000n })
}

function wrapped(value: unknown): unknown {
  if (value === null) return null
  return typeof value === 'string' ? { string: value } : { array: value }
}

/** Integer branch. `value` is written unchanged, so that it need not be a number. */
export const integer = (value: string | number | bigint, precision = 0): PlainValue => ({
  Integer: { precision, value: String(value) },
})

/** Character branch: text in UTF-8, or bytes in the character set named. */
export const text = (value: string | Buffer, charset = 'utf8mb4'): PlainValue => ({
  Character: { charset, value: Buffer.from(value as string) },
})

export const decimal = (value: string, precision = 10, scale = 2): PlainValue => ({
  Decimal: { value, precision, scale },
})

export const float = (value: number): PlainValue => ({ Float: { value, precision: 53, scale: 0 } })

/** @param fraction what the field `millis` holds, microseconds */
export const timestamp = (seconds: number | bigint, fraction = 0): PlainValue => ({
  Timestamp: { timestamp: BigInt(seconds), millis: fraction },
})

export interface PlainDateTime {
  readonly year?: number
  readonly month?: number
  readonly day?: number
  readonly hour?: number
  readonly minute?: number
  readonly second?: number
  /** Microseconds. */
  readonly millis?: number
}

const partsOf = (value: PlainDateTime) =>
  Object.fromEntries(
    dateTimeParts.map((part) => [part, value[part] === undefined ? null : { int: value[part] }]),
  )

/** DateTime branch; a part that is left out is null. */
export const dateTime = (value: PlainDateTime): PlainValue => ({ DateTime: partsOf(value) })

export const zonedDateTime = (value: PlainDateTime, timezone: string): PlainValue => ({
  TimestampWithTimeZone: { value: partsOf(value), timezone },
})

export const binaryGeometry = (value: Buffer, type = 'GEOMETRY'): PlainValue => ({
  BinaryGeometry: { type, value },
})
export const textGeometry = (value: string, type = 'GEOMETRY'): PlainValue => ({
  TextGeometry: { type, value },
})
export const binaryObject = (value: Buffer, type = 'BLOB'): PlainValue => ({ BinaryObject: { type, value } })
export const textObject = (value: string, type = 'JSON'): PlainValue => ({ TextObject: { type, value } })

/** SQL NULL, by the branch that most records use. */
export const nothing: PlainValue = null
/** SQL NULL, by the EmptyObject branch. */
export const emptyNull: PlainValue = { EmptyObject: 'NULL' }
/** The image does not hold the column. */
export const emptyNone: PlainValue = { EmptyObject: 'NONE' }
