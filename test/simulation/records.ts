import { encodeRecord, type PlainValue, text } from '../../infra/local/encode.ts'
import type { Operation } from '../../lib/dts/types.ts'

/** Records as DTS writes them. */

/** When the source of every world begins, in seconds since 1970. */
export const t0 = 1_790_000_000

/** A record's source fields besides its content, and the id that differs from cluster to cluster. */
export interface Origin {
  readonly id: bigint
  /** In seconds. */
  readonly time: number
  readonly position: string
  readonly transaction: string
}

/** Names of a sharded source. */
export interface LogicalName {
  readonly database: string
  readonly table: string
}

export interface RowRecord {
  readonly operation: 'INSERT' | 'UPDATE' | 'DELETE'
  readonly table: string
  readonly logical: LogicalName | null
  /** The row's id before and after. */
  readonly ids: readonly [PlainValue, PlainValue]
  /** Whether the record names its primary key. */
  readonly keyed: boolean
  /** The length of the text column in bytes. */
  readonly size: number
}

const fields = [
  ['id', 3],
  ['status', 253],
] as const

export function rowRecord(
  { operation, table, logical, ids, keyed, size }: RowRecord,
  origin: Origin,
): Buffer {
  return encodeRecord({
    ...places(origin),
    operation,
    objectName: table,
    fields,
    ...(operation === 'INSERT' ? {} : { before: [ids[0], text('old')] }),
    ...(operation === 'DELETE' ? {} : { after: [ids[1], text('x'.repeat(size))] }),
    tags: { ...(keyed ? { pk_uk_info: '{"PRIMARY":["id"]}' } : {}), ...logicalTags(logical) },
  })
}

export function ddlRecord(
  objectName: string | null,
  logical: LogicalName | null,
  statement: string,
  origin: Origin,
): Buffer {
  const tags = logicalTags(logical)
  return encodeRecord({
    ...places(origin),
    operation: 'DDL',
    objectName,
    after: statement,
    tags,
  })
}

/** A record that reaches no handler. */
export function mark(operation: Operation, origin: Origin): Buffer {
  return encodeRecord({ ...places(origin), operation })
}

/** Bytes that pass every checksum but are no record. */
export function unreadable(id: bigint): Buffer {
  return Buffer.from(`no record at all, whatever its checksum says, nor is ${id}`)
}

/** Fillers: values that only move the offset. */
export const fillers = [null, Buffer.alloc(0), Buffer.from([0]), Buffer.from([0, 0])] as const

function places({ id, time, position, transaction }: Origin) {
  return { id, sourceTimestamp: time, sourcePosition: position, sourceTxid: transaction }
}

function logicalTags(logical: LogicalName | null): Record<string, string> {
  return logical === null ? {} : { l_db_name: logical.database, l_tb_name: logical.table }
}
