import { brotliDecompressSync } from 'node:zlib'

/** In a table: the code has no character. */
export const noCharacter = 0xfffd

/** Tables of characters (UTF-16 units) by their codes, as `npm run charsets` packs them. */
export interface PackedTables {
  /** Name, first and last code of each table, in the order of the data. */
  readonly planes: readonly (readonly [name: string, first: number, last: number])[]
  /** Each unit as the difference to the previous character, less one; 8000 for a code without a character. */
  readonly data: string
}

export interface Plane {
  readonly first: number
  readonly units: Uint16Array
}

export function unpackUnits(data: string): Uint16Array {
  const bytes = brotliDecompressSync(Buffer.from(data, 'base64'))
  const units = new Uint16Array(bytes.length / 2)
  let before = 0
  for (let index = 0; index < units.length; index++) {
    const difference = bytes.readUInt16LE(index * 2)
    if (difference === 0x8000) {
      units[index] = noCharacter
    } else {
      before = (before + difference + 1) & 0xffff
      units[index] = before
    }
  }
  return units
}

export function unpackTables({ planes, data }: PackedTables): ReadonlyMap<string, Plane> {
  const units = unpackUnits(data)
  const tables = new Map<string, Plane>()
  let start = 0
  for (const [name, first, last] of planes) {
    const end = start + last - first + 1
    tables.set(name, { first, units: units.subarray(start, end) })
    start = end
  }
  return tables
}
