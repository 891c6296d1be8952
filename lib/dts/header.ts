import { Cursor } from './cursor.ts'
import { exactBigint } from './integers.ts'
import { Remembered } from './remembered.ts'
import { type Operation, operations, type RecordHeader, type SourceType, sourceTypes } from './types.ts'

export { tableOf } from './names.ts'

/** The operations that handlers see; all others only move the position. */
export type ChangeOperation = 'INSERT' | 'UPDATE' | 'DELETE' | 'INIT' | 'DDL'

/** Neighbouring records mostly share their source's version and often their table. */
const sourceVersions = new Remembered(64)
const objectNames = new Remembered(256)

/**
 * Reads the part of a record that routing and checkpoint need, and touches nothing behind it:
 *
 *     version int, id long, sourceTimestamp long, sourcePosition string, safeSourcePosition string,
 *     sourceTxid string, source { sourceType enum, version string }, operation enum, objectName null|string
 *
 * @param start where the record begins in `bytes`, and `end` where it ends, when it is not all of them
 * @throws DtsError RECORD_INVALID, with byte position and path
 */
export function readHeader(bytes: Buffer, start = 0, end = bytes.length): RecordHeader {
  const cursor = new Cursor(bytes, start, start, end)
  const version = cursor.int('version')
  const id = cursor.exactLong('id')
  const sourceTimestamp = cursor.long('sourceTimestamp')
  const positionsStart = cursor.position
  cursor.skipBytes('sourcePosition')
  cursor.skipBytes('safeSourcePosition')
  cursor.skipBytes('sourceTxid')
  const sourceType = symbol(sourceTypes, cursor, 'source.sourceType')
  sourceVersions.read(cursor, 'source.version')
  const operation = symbol(operations, cursor, 'operation')
  const named = cursor.index(2, 'objectName') === 1
  if (named) objectNames.read(cursor, 'objectName')
  return new Header(
    version,
    typeof id === 'number' ? exactBigint(id) : id,
    sourceTimestamp,
    sourceType,
    sourceVersions.text,
    operation,
    named ? objectNames.text : null,
    cursor.position - start,
    bytes,
    positionsStart,
  )
}

/** A header whose texts that differ from record to record are getters, made when they are asked for. */
class Header implements RecordHeader {
  readonly version: number
  readonly id: bigint
  readonly sourceTimestamp: number
  readonly sourceType: SourceType
  readonly sourceVersion: string
  readonly operation: Operation
  readonly objectName: string | null
  readonly bodyStart: number
  readonly #bytes: Buffer
  readonly #positionsStart: number

  constructor(
    version: number,
    id: bigint,
    sourceTimestamp: number,
    sourceType: SourceType,
    sourceVersion: string,
    operation: Operation,
    objectName: string | null,
    bodyStart: number,
    bytes: Buffer,
    positionsStart: number,
  ) {
    this.version = version
    this.id = id
    this.sourceTimestamp = sourceTimestamp
    this.sourceType = sourceType
    this.sourceVersion = sourceVersion
    this.operation = operation
    this.objectName = objectName
    this.bodyStart = bodyStart
    this.#bytes = bytes
    this.#positionsStart = positionsStart
  }

  get sourcePosition(): string {
    return this.#text(0)
  }
  get safeSourcePosition(): string {
    return this.#text(1)
  }
  get sourceTxid(): string {
    return this.#text(2)
  }

  /** One of the three strings that stand side by side. */
  #text(index: number): string {
    const cursor = new Cursor(this.#bytes, this.#positionsStart)
    for (let before = 0; before < index; before++) cursor.skipBytes('')
    return cursor.string('')
  }
}

function symbol<T extends string>(symbols: readonly T[], cursor: Cursor, member: string): T {
  return symbols[cursor.index(symbols.length, member)] as T
}

/** True for a Kafka value of so many bytes that only moves the offset: none, or at most two. */
export function isFiller(size: number): boolean {
  return size <= 2
}

/** True for the operations that reach a handler. */
export function carriesChange(operation: Operation): operation is ChangeOperation {
  switch (operation) {
    case 'INSERT':
    case 'UPDATE':
    case 'DELETE':
    case 'INIT':
    case 'DDL':
      return true
    default:
      return false
  }
}
