import type { ChangeOrigin, RowChange } from './change.ts'
import { Cursor } from './cursor.ts'
import { idempotencyKeyOf } from './digest.ts'
import type { CachedTable } from './table-cache.ts'
import { logicalName, readTags, type Tags } from './tags.ts'
import type { ColumnValue, RecordHeader, Row, SourceType, TableName } from './types.ts'

/** What a change says beside its images and its place in the log. */
export type Details = Pick<
  RowChange,
  'name' | 'logical' | 'keys' | 'tags' | 'sourcePosition' | 'transactionId' | 'idempotencyKey'
>

/** The details of a record, each read out of it when it is asked for: most handlers ask for none. */
export class RecordDetails implements Details {
  readonly #bytes: Buffer
  readonly #header: RecordHeader
  readonly #table: CachedTable
  #tags: Tags | undefined
  #logical: TableName | null | undefined

  /** @param bytes the record, whose tags are known to be well formed */
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
      // The record has been accepted by now.
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
 * A change of a row. What it says beside its images and its place in the log are getters of the class, so that they
 * cost nothing until asked for; the rest are properties of the object.
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
  // Declared only: an insert has no property `before`, not even an undefined one.
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

  // For updates, as the types of a change say. A class of their own for them would cost each update a fifth of the
  // time that its decoding takes. It goes by what the source wrote, also when the images were replaced by parsed
  // ones: two dates or objects made of equal texts are not `===`.
  changed(column: string): boolean {
    const value = this.#after?.[column]
    return value !== undefined && !sameValue(this.#before?.[column], value)
  }
}

function sameValue(a: ColumnValue | undefined, b: ColumnValue | undefined): boolean {
  if (Buffer.isBuffer(a)) return Buffer.isBuffer(b) && a.equals(b)
  return a === b || (Number.isNaN(a) && Number.isNaN(b))
}

/** A change of a row out of its parts; the images are those that the operation has, the others null. */
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
