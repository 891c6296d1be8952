import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { convertToAttr } from '@aws-sdk/util-dynamodb'
import { DtsError } from '../errors.ts'

/**
 * A value that the fence can store: single values, documents (a parsed JSON column) as lists and maps, sets as DynamoDB
 * sets. Undefined at the top level means that the change does not have the column, and the item keeps its attribute.
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

/** A value that can be part of a key. */
export type KeyCell = string | number | bigint | Uint8Array

/** DynamoDB's own limits. */
const maxDepth = 32
const maxDigits = 38
const [smallest, largest] = [1e-130, 1e126]

const asText = 'Store the document as text.'

/** @throws DtsError FENCE_INVALID if the cell, or a value inside it, cannot be stored exactly */
export function attributeOf(name: string, cell: Cell): AttributeValue {
  // Store FLOAT and DOUBLE above 2^53 too. They are exact: the decoder never rounds an integer into a number.
  return convertToAttr(storable(cell, name, 0), { allowImpreciseNumbers: true })
}

/** @throws DtsError FENCE_INVALID */
export function attributesOf(cells: Readonly<Record<string, Cell>>): Record<string, AttributeValue> {
  return Object.fromEntries(Object.entries(cells).map(([name, cell]) => [name, attributeOf(name, cell)]))
}

/** @throws DtsError FENCE_INVALID if DynamoDB does not accept the key */
export function keyAttributesOf(key: Readonly<Record<string, KeyCell>>): Record<string, AttributeValue> {
  for (const [name, cell] of Object.entries(key)) {
    const isEmpty = cell === '' || (cell instanceof Uint8Array && cell.length === 0)
    const isKey = ['string', 'number', 'bigint'].includes(typeof cell) || cell instanceof Uint8Array
    if (isKey && !isEmpty) continue
    throw refused(
      name,
      `is ${isEmpty ? 'empty' : kindOf(cell)}, which DynamoDB does not accept in a key`,
      'A key is a string, a number or bytes.',
    )
  }
  return attributesOf(key)
}

/**
 * Checks a cell, and returns it in a form that the SDK's marshaller cannot misread. The marshaller looks at the name of the
 * constructor, which a document's member `constructor` can forge. So it gets objects as Maps.
 * @param place the attribute, with indexes and `*` inside it: member names of a document can be data
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
  throw refused(place, `is a number outside of DynamoDB's range: ${cell}`, 'Store it as a string.')
}

function storableInteger(cell: bigint, place: string): bigint {
  const digits = String(cell).replace(/^-/, '')
  if (digits.length <= 126 && digits.replace(/0+$/, '').length <= maxDigits) return cell
  throw refused(
    place,
    `is an integer of ${digits.length} digits, but DynamoDB stores ${maxDigits}`,
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
    // The SDK would lose it: it builds plain objects, on which this name sets the prototype.
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

/** True for an object of JSON.parse and for a row, in any realm. False for an instance of a class. */
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

/** @param what the problem, without the value: the poller's log repeats the message */
export function refused(place: string, what: string, hint: string): DtsError {
  return new DtsError(
    'FENCE_INVALID',
    `The attribute ${place} ${what}. Nothing was written. ${hint} Correct the handler, then deploy it.`,
    { retryable: false, facts: { attribute: place } },
  )
}
