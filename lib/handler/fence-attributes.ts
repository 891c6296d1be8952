import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { convertToAttr } from '@aws-sdk/util-dynamodb'
import { DtsError } from '../errors.ts'

/**
 * A cell as it is stored: single values, documents (a parsed JSON column) as lists and maps, sets as DynamoDB's sets.
 * Undefined at the top: the column was not in the change, and the item keeps what it has.
 */
export type Cell =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly Cell[]
  | { readonly [name: string]: Cell }
  | ReadonlyMap<string, Cell>
  | ReadonlySet<string>
  | ReadonlySet<number | bigint>
  | ReadonlySet<Uint8Array>

/** What an item can be addressed by. */
export type KeyCell = string | number | bigint | Uint8Array

/** DynamoDB's own limits. */
const maxDepth = 32
const maxDigits = 38
const [smallest, largest] = [1e-130, 1e126]

const asText = 'Store the document as text.'

/** @throws DtsError FENCE_INVALID when the cell, or something inside it, cannot be stored as it is */
export function attributeOf(name: string, cell: Cell): AttributeValue {
  // A FLOAT or DOUBLE is stored as it is, above 2^53 too; the decoder rounds no integer into a number.
  return convertToAttr(storable(cell, name, 0), { allowImpreciseNumbers: true })
}

/** @throws DtsError FENCE_INVALID */
export function attributesOf(cells: Readonly<Record<string, Cell>>): Record<string, AttributeValue> {
  return Object.fromEntries(Object.entries(cells).map(([name, cell]) => [name, attributeOf(name, cell)]))
}

/** @throws DtsError FENCE_INVALID when DynamoDB takes no such key */
export function keyAttributesOf(key: Readonly<Record<string, KeyCell>>): Record<string, AttributeValue> {
  for (const [name, cell] of Object.entries(key)) {
    const isEmpty = cell === '' || (cell instanceof Uint8Array && cell.length === 0)
    const isKey = ['string', 'number', 'bigint'].includes(typeof cell) || cell instanceof Uint8Array
    if (isKey && !isEmpty) continue
    throw refused(
      name,
      `is ${isEmpty ? 'empty' : kindOf(cell)}, which no key of DynamoDB is`,
      'A key is a string, a number or bytes.',
    )
  }
  return attributesOf(key)
}

/**
 * The cell in a form that the SDK's marshaller cannot take for another. It goes by the name of a constructor, so that
 * a document's own member `constructor` misleads it: objects reach it as Maps.
 * @param place the attribute, and inside it indexes and `*`: member names of a document can be data
 */
function storable(cell: unknown, place: string, depth: number): unknown {
  if (depth > maxDepth)
    throw refused(place, `is nested deeper than the ${maxDepth} levels that DynamoDB has`, asText)
  switch (typeof cell) {
    case 'string':
      if (!cell.isWellFormed())
        throw refused(place, 'holds half a character (a lone surrogate)', 'DynamoDB would replace it.')
      return cell
    case 'number':
      return storableNumber(cell, place)
    case 'bigint':
      return storableInteger(cell, place)
    case 'boolean':
      return cell
    case 'object':
      return cell === null ? null : storableObject(cell, place, depth)
    default:
      throw refused(place, `is ${kindOf(cell)}`, accepted)
  }
}

function storableNumber(cell: number, place: string): number {
  const size = Math.abs(cell)
  if (size === 0 || (size >= smallest && size < largest)) return cell
  throw refused(place, `is a number outside of DynamoDB's: ${cell}`, 'Store it as a string.')
}

function storableInteger(cell: bigint, place: string): bigint {
  const digits = String(cell).replace(/^-/, '')
  if (digits.length <= 126 && digits.replace(/0+$/, '').length <= maxDigits) return cell
  throw refused(
    place,
    `is an integer of ${digits.length} digits, and DynamoDB keeps ${maxDigits}`,
    'Store it as a string.',
  )
}

function storableObject(cell: object, place: string, depth: number): unknown {
  if (cell instanceof Uint8Array) return cell
  if (Array.isArray(cell)) return cell.map((item, index) => storable(item, `${place}[${index}]`, depth + 1))
  if (cell instanceof Set) return storableSet(cell, place)
  if (cell instanceof Map) return storableMap(cell, place, depth)
  if (isPlain(cell)) return storableMap(Object.entries(cell), place, depth)
  throw refused(
    place,
    `is ${kindOf(cell)}`,
    cell instanceof Date ? 'Store its text, as by toISOString().' : '',
  )
}

function storableMap(
  entries: Iterable<[unknown, unknown]>,
  place: string,
  depth: number,
): Map<string, unknown> {
  const map = new Map<string, unknown>()
  for (const [name, value] of entries) {
    if (typeof name !== 'string')
      throw refused(place, `has ${kindOf(name)} as the name of a member`, accepted)
    // The SDK would lose it: it makes plain objects, which take it for their prototype.
    if (name === '__proto__') throw refused(place, 'has a member named __proto__', asText)
    if (!name.isWellFormed()) throw refused(place, 'has a member whose name holds half a character', asText)
    map.set(name, storable(value, `${place}.*`, depth + 1))
  }
  return map
}

function storableSet(set: ReadonlySet<unknown>, place: string): ReadonlySet<unknown> {
  const items = [...set]
  const kinds = new Set(items.map((item) => (typeof item === 'bigint' ? 'a number' : kindOf(item))))
  if (items.length === 0) throw refused(place, 'is an empty set, which DynamoDB does not have', 'Store null.')
  if (kinds.size > 1)
    throw refused(place, `is a set of different kinds (${[...kinds].join(', ')})`, 'Store a list.')
  const isKnown = items.every(
    (item) => ['string', 'number', 'bigint'].includes(typeof item) || item instanceof Uint8Array,
  )
  if (!isKnown) throw refused(place, `is a set whose items are each ${[...kinds].join()}`, 'Store a list.')
  return new Set(items.map((item) => storable(item, `${place}[]`, 0)))
}

/** An object of JSON.parse or a row, whatever realm and prototype it has: its class adds nothing. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value !== 'object') return `a ${typeof value}`
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name
  return typeof name === 'string' && /^\w{1,40}$/.test(name)
    ? `an object of the class ${name}`
    : 'an object of a class'
}

const accepted =
  'A cell is a string, number, bigint, boolean, null, Uint8Array, a list or map of these, or a Set of strings, numbers ' +
  'or bytes.'

/** @param what is wrong with it; never its value, since the poller's log repeats the message */
export function refused(place: string, what: string, hint: string): DtsError {
  return new DtsError(
    'FENCE_INVALID',
    `The attribute ${place} ${what}. Nothing was written. ${hint} Correct the handler and deploy.`,
    { retryable: false, facts: { attribute: place } },
  )
}
