import {
  byMultiBytes,
  bySingleBytes,
  byUtf16,
  gb18030,
  type ReadText,
  readCesu8,
  readUtf8,
  readUtf32,
} from './charset-read.ts'
import { multiByteTables, singleByteTables } from './charset-tables.ts'
import { type PackedTables, type Plane, unpackTables } from './charset-units.ts'

/** A known character set. */
export interface TextSet {
  readonly keepsAscii: boolean
  readonly read: ReadText
}

const unicode: { readonly [name: string]: TextSet | undefined } = {
  utf8: { keepsAscii: true, read: readUtf8 },
  cesu8: { keepsAscii: true, read: readCesu8 },
  utf16be: { keepsAscii: false, read: byUtf16(0) },
  utf16le: { keepsAscii: false, read: byUtf16(1) },
  utf32: { keepsAscii: false, read: readUtf32 },
}

/** A set that differs from another set in a few codes: characters by code. */
interface Variant {
  readonly base: string
  readonly characters: readonly (readonly [code: number, characters: string])[]
}

/** Symbols that are full-width forms in Microsoft's tables, but not in those of the standard and of Oracle. */
const standardSymbols = (codes: readonly number[]) =>
  codes.map((code, index) => [code, '‖−¢£¬'.charAt(index)] as const)
const sjisSymbols = standardSymbols([0x8161, 0x817c, 0x8191, 0x8192, 0x81ca])
const eucSymbols = standardSymbols([0xa1c2, 0xa1dd, 0xa1f1, 0xa1f2, 0xa2cc])

const consecutive = (first: number, length: number) =>
  Array.from({ length }, (_, index) => String.fromCharCode(first + index)).join('')

const variants: { readonly [name: string]: Variant | undefined } = {
  'gbk-euro': { base: 'gbk', characters: [[0x80, '€']] },
  // PostgreSQL and Windows add to Korea's standard: a sign, and two rows for the user's own characters.
  uhc: {
    base: 'euckr',
    characters: [
      [0xa2e8, '㉾'],
      [0xc9a1, consecutive(0xe000, 94)],
      [0xfea1, consecutive(0xe05e, 94)],
    ],
  },
  // PostgreSQL has a sign that Python's table lacks.
  johab: { base: 'johab', characters: [[0xd9e8, '㉾']] },
  ja16sjis: { base: 'cp932', characters: [[0x8160, '〜'], ...sjisSymbols] },
  ja16sjistilde: { base: 'cp932', characters: sjisSymbols },
  ja16euc: { base: 'eucjpms', characters: [[0xa1c1, '〜'], ...eucSymbols] },
  ja16euctilde: { base: 'eucjpms', characters: eucSymbols },
}

/** Unpacks the tables on first use: most functions never need those of several bytes per character. */
function unpackLazily(packed: PackedTables): () => ReadonlyMap<string, Plane> {
  let tables: ReadonlyMap<string, Plane> | undefined
  return () => {
    tables ??= unpackTables(packed)
    return tables
  }
}
const singleBytes = unpackLazily(singleByteTables)
const multiBytes = unpackLazily(multiByteTables)

/** The sets that were used, by name. Some take a millisecond to make, and many spellings mean the same set. */
const used = new Map<string, TextSet>()

/** @returns undefined if there is no set of this name */
export function textSet(name: string): TextSet | undefined {
  const known = unicode[name] ?? used.get(name)
  if (known !== undefined) return known
  const made = makeSet(name)
  if (made !== undefined) used.set(name, made)
  return made
}

function makeSet(name: string): TextSet | undefined {
  if (name === 'gb18030' || name === 'gb18030-2000') return gb18030Set(name === 'gb18030' ? 2005 : 2000)
  const variant = variants[name]
  const base = variant?.base ?? name
  let one = singleBytes().get(base)
  if (one === undefined) return undefined
  const isMulti = multiByteTables.planes.some(([plane]) => plane === base)
  let two = isMulti ? multiBytes().get(base) : undefined
  if (variant !== undefined) {
    one = withCharacters(one, variant)
    two &&= withCharacters(two, variant)
  }
  const three = isMulti ? multiBytes().get(`${base} 8f`) : undefined
  const read = two === undefined ? bySingleBytes(one.units) : byMultiBytes({ one: one.units, two, three })
  return { keepsAscii: one.units.subarray(0, 0x80).every((unit, byte) => unit === byte), read }
}

/** A copy of the plane with the characters of the variant, as far as the plane has their codes. */
function withCharacters({ first, units }: Plane, { characters }: Variant): Plane {
  const own = units.slice()
  for (const [code, text] of characters) {
    const start = code - first
    if (start < 0 || start >= own.length) continue
    for (let index = 0; index < text.length; index++) own[start + index] = text.charCodeAt(index)
  }
  return { first, units: own }
}

function gb18030Set(edition: 2000 | 2005): TextSet | undefined {
  const one = singleBytes().get('gb18030')
  const two = multiBytes().get('gb18030')
  if (one === undefined || two === undefined) return undefined
  return { keepsAscii: true, read: byMultiBytes(gb18030(one.units, two, edition)) }
}
