import { Cursor } from './cursor.ts'
import { readFields } from './fields.ts'
import type { ImageName } from './image.ts'
import { skipToFields } from './tags.ts'
import type { RecordHeader } from './types.ts'
import { ColumnReader, readValue, skipValue } from './value.ts'

/**
 * `hash`: another text takes the place of the value. `drop`: the images do not have the column. With `-if-present`, a record may
 * lack the column. Otherwise it must not: after a rename, the values would be under another name.
 */
export const maskRules = ['hash', 'drop', 'hash-if-present', 'drop-if-present'] as const
export type MaskRule = (typeof maskRules)[number]
export type Mask = Readonly<Record<string, MaskRule>>

const effects: Readonly<Record<MaskRule, 'hash' | 'drop'>> = {
  hash: 'hash',
  drop: 'drop',
  'hash-if-present': 'hash',
  'drop-if-present': 'drop',
}

/** The effect of the rule on a column of the record; undefined if the mask does not name the column. */
export function effectOn(column: string, mask: Mask): 'hash' | 'drop' | undefined {
  const rule = Object.hasOwn(mask, column) ? mask[column] : undefined
  return rule === undefined ? undefined : effects[rule]
}

/** The columns that every record must have. */
export function requiredColumns(mask: Mask): string[] {
  return Object.keys(mask).filter((column) => mask[column] === 'hash' || mask[column] === 'drop')
}

/** Makes the text that takes the place of a value. */
export type HashValue = (value: string | Buffer) => string

const none = Buffer.from([24, 2])
/** An array of values: the branch of the union. */
const arrayBranch = Buffer.from([4])
const endOfArray = Buffer.from([0])
/** The type of a hashed value. A record that is masked twice, such as a dead letter, keeps its hashes. */
const hashedStart = Buffer.concat([Buffer.from([22]), avroBytes(Buffer.from('dts-functions/hash'))])

/**
 * The same record of a row change with masked columns in both images. NULL stays NULL with `hash`. A value that is hashed
 * already stays as it is.
 * @param header what `readHeader` returned for the same bytes
 * @throws DtsError RECORD_INVALID
 */
export function maskRecord(bytes: Buffer, header: RecordHeader, mask: Mask, hash: HashValue): Buffer {
  const cursor = new Cursor(bytes, header.bodyStart)
  skipToFields(cursor)
  const fields = readFields(cursor) ?? []
  const rules = fields.map(({ name }) => effectOn(name, mask))
  // Wide: an integer is hashed by its exact digits.
  const readers = fields.map(({ name }) => new ColumnReader(name, true, header.sourceType))
  const parts = [bytes.subarray(0, cursor.position)]
  for (const section of ['beforeImages', 'afterImages'] as const) {
    maskImage(cursor, section, rules, readers, hash, parts)
  }
  parts.push(bytes.subarray(cursor.position))
  return Buffer.concat(parts)
}

/** Writes the image as one block, because the source's blocks may state their sizes. */
function maskImage(
  cursor: Cursor,
  section: ImageName,
  rules: readonly ('hash' | 'drop' | undefined)[],
  readers: readonly ColumnReader[],
  hash: HashValue,
  parts: Buffer[],
): void {
  const { bytes } = cursor
  cursor.section = section
  const start = cursor.position
  const kind = cursor.index(3, '')
  if (kind === 1) throw cursor.failAt(start, '', 'a string instead of an image of a row')
  if (kind === 0) {
    parts.push(bytes.subarray(start, cursor.position))
    return
  }
  /** Masked values, and between them the bytes of all values that stay as they are. */
  const values: Buffer[] = []
  let item = 0
  for (let left = cursor.block(1); left > 0; left = cursor.block(1)) {
    let kept = cursor.position
    for (; left > 0; left--) {
      const reader = readers[item]
      if (reader === undefined) throw cursor.fail('', `more values than the ${readers.length} columns`)
      cursor.item = item
      const rule = rules[item++]
      if (rule === undefined) {
        skipValue(cursor)
        continue
      }
      values.push(bytes.subarray(kept, cursor.position), masked(cursor, reader, rule, hash))
      kept = cursor.position
    }
    values.push(bytes.subarray(kept, cursor.position))
    cursor.item = -1
  }
  if (item > 0 && item < readers.length)
    throw cursor.fail('', `${item} values, but the table has ${readers.length} columns`)
  parts.push(arrayBranch, ...(item === 0 ? [] : [varint(item), ...values]), endOfArray)
}

function masked(cursor: Cursor, reader: ColumnReader, rule: 'hash' | 'drop', hash: HashValue): Buffer {
  const start = cursor.position
  skipValue(cursor)
  const written = cursor.bytes.subarray(start, cursor.position)
  if (rule === 'drop') return none
  if (written.subarray(0, hashedStart.length).equals(hashedStart)) return written
  cursor.position = start
  let value: ReturnType<typeof readValue>
  try {
    value = readValue(cursor, reader)
  } catch {
    // Such as text that is invalid in its character set. Its bytes tell it apart from others.
    value = Buffer.from(written)
  }
  cursor.position = start + written.length
  if (value === null || value === undefined) return written
  const text = hash(Buffer.isBuffer(value) ? value : String(value))
  return Buffer.concat([hashedStart, avroBytes(Buffer.from(text))])
}

function avroBytes(bytes: Buffer): Buffer {
  return Buffer.concat([varint(bytes.length), bytes])
}

/** An Avro number that is not negative. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value * 2
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return Buffer.from([...bytes, rest])
}
