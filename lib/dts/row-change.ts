import type { ChangeOrigin, RowChange } from './change.ts'
import { Cursor } from './cursor.ts'
import { idempotencyKeyOf } from './digest.ts'
import type { CachedTable } from './table-cache.ts'
import { logicalName, readTags, type Tags } from './tags.ts'
import type { ColumnValue, RecordHeader, Row, SourceType, TableName } from './types.ts'

/** The facts of a change other than its images and its place in the log. */
export type Details = Pick<
  RowChange,
  'name' | 'logical' | 'keys' | 'tags' | 'sourcePosition' | 'transactionId' | 'idempotencyKey'
>

/** Reads the details from the record on demand, because most handlers need none. */
export class RecordDetails implements Details {
  readonly #bytes: Buffer
  readonly #header: RecordHeader
  readonly #table: CachedTable
  #tags: Tags | undefined
  #logical: TableName | null | undefined

  /** @param bytes a record whose tags have been read before */
  constructor(bytes: Buffer, header: RecordHeader, table: CachedTable) {
    this.#bytes = bytes
    this.#header = header
    this.#table = table
    this.#tags = undefined
    this.#logical = undefined
  }

  get name(): TableName {
    return this.#table.name
  }
  get logical(): TableName | null {
    if (this.#logical === undefined) this.#logical = logicalName(this.tags, this.name)
    return this.#logical
  }
  get keys(): readonly string[] {
    return this.#table.keysOf(this.tags)
  }
  get tags(): Tags {
    if (this.#tags === undefined) {
      const cursor = new Cursor(this.#bytes, this.#header.bodyStart)
      // The record has been accepted: invalid UTF-8 in a tag must not fail it now.
      cursor.replacesInvalidText = true
      this.#tags = readTags(cursor, this.#table.keyInfo)
    }
    return this.#tags
  }
  get sourcePosition(): string {
    return this.#header.sourcePosition
  }
  get transactionId(): string {
    return this.#header.sourceTxid
  }
  get idempotencyKey(): string {
    return idempotencyKeyOf(this.#bytes, this.#header)
  }
}

/**
 * A change of a row. The details are getters, so that they cost nothing unless a handler reads them. The other facts are
 * properties of the object.
 */
class DecodedRowChange implements ChangeOrigin, Details {
  readonly operation: RowChange['operation']
  readonly table: string
  readonly id: bigint
  readonly timestamp: number
  readonly sourceType: SourceType
  readonly offset: bigint
  readonly generation: number
  readonly replay: boolean
  // `declare` creates no property: an insert has no `before`, not even an undefined one.
  declare readonly before?: Row
  declare readonly after?: Row
  readonly #before: Row | null
  readonly #after: Row | null
  readonly #details: Details

  constructor(
    operation: RowChange['operation'],
    table: string,
    id: bigint,
    timestamp: number,
    sourceType: SourceType,
    origin: ChangeOrigin,
    before: Row | null,
    after: Row | null,
    details: Details,
  ) {
    this.operation = operation
    this.table = table
    this.id = id
    this.timestamp = timestamp
    this.sourceType = sourceType
    this.offset = origin.offset
    this.generation = origin.generation
    this.replay = origin.replay
    this.#before = before
    this.#after = after
    this.#details = details
    if (before !== null) this.before = before
    if (after !== null) this.after = after
  }

  get name(): TableName {
    return this.#details.name
  }
  get logical(): TableName | null {
    return this.#details.logical
  }
  get keys(): readonly string[] {
    return this.#details.keys
  }
  get tags(): Tags {
    return this.#details.tags
  }
  get sourcePosition(): string {
    return this.#details.sourcePosition
  }
  get transactionId(): string {
    return this.#details.transactionId
  }
  get idempotencyKey(): string {
    return this.#details.idempotencyKey
  }

  // The types of a change offer this for updates only. A separate class for updates would make decoding them a fifth
  // slower. It compares the values of the source, not the parsed rows that replace the images: two dates or objects made
  // from equal texts are not `===`.
  changed(column: string): boolean {
    const value = this.#after?.[column]
    return value !== undefined && !sameValue(this.#before?.[column], value)
  }
}

/** Whether two values of a column are equal. Buffers are compared by content, and NaN equals itself. */
export function sameValue(a: ColumnValue | undefined, b: ColumnValue | undefined): boolean {
  if (Buffer.isBuffer(a)) return Buffer.isBuffer(b) && a.equals(b)
  return a === b || (Number.isNaN(a) && Number.isNaN(b))
}

/** Makes a change of a row. An image that the operation does not have is null. */
export function rowChange(
  operation: RowChange['operation'],
  table: string,
  id: bigint,
  timestamp: number,
  sourceType: SourceType,
  origin: ChangeOrigin,
  before: Row | null,
  after: Row | null,
  details: Details,
): RowChange {
  return new DecodedRowChange(
    operation,
    table,
    id,
    timestamp,
    sourceType,
    origin,
    before,
    after,
    details,
  ) as RowChange
}
