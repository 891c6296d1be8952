import { createHash } from 'node:crypto'
import { Cursor } from './cursor.ts'
import { skipFields } from './fields.ts'
import { skipImage } from './image.ts'
import { skipToFields } from './tags.ts'
import type { RecordHeader } from './types.ts'

/**
 * A digest of a record's content, as 32 hexadecimal characters: operation, object name, columns and both images. Id, tags
 * and processing times are left out, because another cluster may write them differently for the same change.
 * @throws DtsError RECORD_INVALID
 */
export function identityOf(bytes: Buffer, header: RecordHeader): string {
  const cursor = new Cursor(bytes, header.bodyStart)
  skipToFields(cursor)
  const start = cursor.position
  skipFields(cursor)
  skipImage(cursor, 'beforeImages')
  skipImage(cursor, 'afterImages')
  return createHash('sha256')
    .update(JSON.stringify([header.operation, header.objectName]))
    .update(bytes.subarray(start, cursor.position))
    .digest('hex')
    .slice(0, 32)
}

/**
 * The same for every delivery of a change, from another cluster too. Two changes have the same key only if they are equal
 * rows of one statement in a table without a primary key.
 * @throws DtsError RECORD_INVALID
 */
export function idempotencyKeyOf(bytes: Buffer, header: RecordHeader): string {
  return `${header.sourcePosition}/${header.sourceTxid}/${identityOf(bytes, header)}`
}

/** A digest of a value that is not a record (filler, undecodable bytes), in the form of `identityOf`. */
export function digestOf(value: Buffer | null): string {
  const hash = createHash('sha256').update(value === null ? 'null' : 'bytes')
  if (value !== null) hash.update(value)
  return hash.digest('hex').slice(0, 32)
}
