import { encodeRecord, integer, type PlainRecord, text } from '../../infra/local/encode.ts'
import type { Operation } from '../../lib/dts/types.ts'

/** Records as DTS writes them, encoded once for all worlds: a world picks from a small pool. */

/** When the first record happened, in seconds. */
export const t0 = 1_790_000_000

const pool = new Map<string, Buffer>()

function pooled(name: string, salt: string, plain: () => PlainRecord): Buffer {
  const key = `${name} ${salt}`
  let value = pool.get(key)
  if (value === undefined) {
    value = encodeRecord({ sourceTimestamp: t0, sourceTxid: salt, sourcePosition: salt, ...plain() })
    pool.set(key, value)
  }
  return value
}

const fields = [
  ['id', 3],
  ['status', 253],
] as const

export interface RowRecord {
  readonly operation: 'INSERT' | 'UPDATE' | 'DELETE'
  readonly table: string
  /** Before and after; the same unless the key changes. */
  readonly ids: readonly [number, number]
  /** Whether the record names its primary key. */
  readonly keyed: boolean
  /** Bytes of the text column. */
  readonly size: number
}

/** @param salt tells the records of one log from those of another */
export function rowRecord({ operation, table, ids, keyed, size }: RowRecord, salt: string): Buffer {
  return pooled([operation, table, ...ids, keyed, size].join(' '), salt, () => ({
    operation,
    objectName: table,
    fields,
    ...(operation === 'INSERT' ? {} : { before: [integer(ids[0]), text('old')] }),
    ...(operation === 'DELETE' ? {} : { after: [integer(ids[1]), text('x'.repeat(size))] }),
    tags: keyed ? { pk_uk_info: '{"PRIMARY":["id"]}' } : {},
  }))
}

export function ddlRecord(objectName: string | null, salt: string): Buffer {
  return pooled(`DDL ${objectName}`, salt, () => ({
    operation: 'DDL',
    objectName,
    after: 'ALTER TABLE t ADD c INT',
  }))
}

/** A record that reaches no handler. */
export function mark(operation: Operation, salt: string): Buffer {
  return pooled(operation, salt, () => ({ operation }))
}

/** Passes any checksum and is no record. */
export const unreadable = Buffer.from('no record at all, whatever its checksum says')

export const otherUnreadable = Buffer.from('something else that is no record either')

/** A value that only moves the offset. */
export const filler = Buffer.from([0])
