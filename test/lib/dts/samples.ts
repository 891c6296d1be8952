import type { PlainRecord, PlainValue } from '../../../infra/local/encode.ts'
import { encodeRecord } from '../../../infra/local/encode.ts'
import type { Change } from '../../../lib/dts/change.ts'
import { decodeChange } from '../../../lib/dts/decode-change.ts'
import { readHeader } from '../../../lib/dts/header.ts'
import { rowPrototype } from '../../../lib/dts/row-factory.ts'
import type { Tags } from '../../../lib/dts/tags.ts'
import type { ColumnValue, RecordHeader, SourceType } from '../../../lib/dts/types.ts'

export const origin = { offset: 7n, generation: 2, replay: false }

/** Encodes a record and decodes it again. */
export function roundtrip(plain: PlainRecord, columns?: readonly string[]): Change {
  return decode(encodeRecord(plain), columns)
}

export function decode(bytes: Buffer, columns?: readonly string[]): Change {
  return decodeChange(bytes, readHeader(bytes), origin, columns)
}

/** An INSERT into `shop.orders` of one column `c`. */
export function insertOf(value: PlainValue, typeNumber = 253, sourceType: SourceType = 'MySQL'): PlainRecord {
  return {
    operation: 'INSERT',
    objectName: 'shop.orders',
    sourceType,
    fields: [['c', typeNumber]],
    after: [value],
  }
}

/** The decoded value; undefined if the row lacks the column. */
export function decoded(
  value: PlainValue,
  typeNumber?: number,
  sourceType?: SourceType,
): ColumnValue | undefined {
  const change = roundtrip(insertOf(value, typeNumber, sourceType))
  if (change.operation !== 'INSERT') throw new Error(`an INSERT came back as ${change.operation}`)
  return change.after.c
}

/** A row as the decoder makes it: it inherits nothing. */
export function row(columns: Record<string, ColumnValue>): Record<string, ColumnValue> {
  return Object.assign(Object.create(rowPrototype), columns)
}

/** Tags as the decoder makes them: they have no prototype. */
export function tagsOf(tags: Record<string, string>): Tags {
  return Object.assign(Object.create(null), tags)
}

/** All facts of a change as plain data, because some are getters of its class. */
export function seen(change: Change): Record<string, unknown> {
  const { name, logical, keys, tags, sourcePosition, transactionId, idempotencyKey } = change
  return { ...change, name, logical, keys, tags, sourcePosition, transactionId, idempotencyKey }
}

/** All facts of a header as plain data. */
export function plainHeader(header: RecordHeader): RecordHeader {
  const { sourcePosition, safeSourcePosition, sourceTxid } = header
  return { ...header, sourcePosition, safeSourcePosition, sourceTxid }
}
