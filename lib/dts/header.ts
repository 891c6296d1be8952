import { Cursor } from './cursor.ts'
import { operations, sourceTypes } from './grammar.ts'
import { exactBigint } from './integers.ts'
import { RepeatedText, RepeatedTexts } from './repeated-text.ts'
import type { Operation, RecordHeader, SourceType } from './types.ts'

/** The operations that handlers see; all others only move the position. */
export type ChangeOperation = 'INSERT' | 'UPDATE' | 'DELETE' | 'INIT' | 'DDL'

/** Most records repeat the source version of the record before. */
const sourceVersions = new RepeatedText(64)
const objectNames = new RepeatedTexts()
const transactionIds = new RepeatedText(256)
const transactionCursor = new Cursor(Buffer.alloc(0))

/** The fields that routing and the read window need. */
export type HeaderFacts = Pick<RecordHeader, 'operation' | 'objectName' | 'sourceTimestamp'>

/** The same, and where other parts of the record are. */
export interface HeaderScan extends HeaderFacts, Pick<RecordHeader, 'bodyStart'> {
  /** Position of `sourceTxid` in the bytes that were scanned. */
  readonly transactionStart: number
}

/**
 * Reads a record up to `objectName`, which is all that routing and the checkpoint need. It does not touch the rest.
 * @throws DtsError RECORD_INVALID, with byte position and path
 */
export function readHeader(bytes: Buffer): RecordHeader {
  const {
    version,
    id,
    sourceTimestamp,
    positionsStart,
    sourceType,
    sourceVersion,
    operation,
    objectName,
    bodyStart,
  } = shared.read(bytes, 0, bytes.length)
  return new Header(
    version,
    typeof id === 'number' ? exactBigint(id) : id,
    sourceTimestamp,
    sourceType,
    sourceVersion,
    operation,
    objectName,
    bodyStart,
    bytes,
    positionsStart,
  )
}

/**
 * The same for many records, without an object for each.
 * @returns an object that the next call overwrites
 * @throws DtsError RECORD_INVALID as `readHeader`
 */
export function scanHeader(bytes: Buffer, start: number, end: number): HeaderScan {
  return shared.read(bytes, start, end)
}

/** The transaction of a scanned record. @param bytes what was scanned */
export function readTransactionId({ transactionStart }: HeaderScan, bytes: Buffer): string {
  transactionCursor.reset(bytes, transactionStart, bytes.length)
  // As in `Header`: its bytes are no reason to refuse the record.
  transactionCursor.replacesInvalidText = true
  return transactionIds.read(transactionCursor, 'sourceTxid')
}

class HeaderReader implements HeaderScan {
  version = 0
  id: number | bigint = 0
  sourceTimestamp = 0
  positionsStart = 0
  transactionStart = 0
  sourceType: SourceType = 'OTHER'
  sourceVersion = ''
  operation: Operation = 'NOOP'
  objectName: string | null = null
  bodyStart = 0
  readonly #cursor = new Cursor(Buffer.alloc(0))

  read(bytes: Buffer, start: number, end: number): this {
    const cursor = this.#cursor
    cursor.reset(bytes, start, end)
    this.version = cursor.int('version')
    this.id = cursor.exactLong('id')
    this.sourceTimestamp = cursor.long('sourceTimestamp')
    this.positionsStart = cursor.position
    cursor.skipBytes('sourcePosition')
    cursor.skipBytes('safeSourcePosition')
    this.transactionStart = cursor.position
    cursor.skipBytes('sourceTxid')
    this.sourceType = sourceTypeAt(cursor)
    this.sourceVersion = sourceVersions.read(cursor, 'source.version')
    this.operation = operations[cursor.index(operations.length, 'operation')] as Operation
    const named = cursor.index(2, 'objectName') === 1
    this.objectName = named ? objectNames.read(cursor, 'objectName') : null
    this.bodyStart = cursor.position - start
    return this
  }
}

const shared = new HeaderReader()

/** A header whose getters decode the texts that differ from record to record. Most callers never need them. */
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

  /** One of the three adjacent strings, by its index. */
  #text(index: number): string {
    const cursor = new Cursor(this.#bytes, this.#positionsStart)
    // Identities compare the bytes of these strings, so that invalid UTF-8 in them is no reason to refuse the record.
    cursor.replacesInvalidText = true
    for (let before = 0; before < index; before++) cursor.skipBytes('')
    return cursor.string('')
  }
}

/** Versions of DTS disagree on the numbers from 12 on, and add to them: an unknown number is OTHER. */
function sourceTypeAt(cursor: Cursor): SourceType {
  const start = cursor.position
  const number = cursor.int('source.sourceType')
  if (number < 0) throw cursor.failAt(start, 'source.sourceType', `a source type of ${number}`)
  return sourceTypes[number] ?? 'OTHER'
}

/** True if a Kafka value of `size` bytes is a filler: it only moves the offset. */
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
