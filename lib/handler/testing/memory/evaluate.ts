import { isDeepStrictEqual } from 'node:util'
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { addNumbers, compareNumbers } from './numbers.ts'
import type { Comparison, Condition, Operand, Path, Update } from './parse.ts'

export type Item = Readonly<Record<string, AttributeValue>>
export type Values = Readonly<Record<string, AttributeValue>>

/** What DynamoDB calls a ValidationException. */
export class InvalidExpression extends Error {}

export type Tag = 'S' | 'N' | 'B' | 'BOOL' | 'NULL' | 'L' | 'M' | 'SS' | 'NS' | 'BS'

export function tagOf(value: AttributeValue): Tag {
  const [tag] = Object.entries(value).find(([, content]) => content !== undefined) ?? []
  return tag as Tag
}

// ── conditions ──

export function holds(condition: Condition, item: Item, values: Values): boolean {
  switch (condition.kind) {
    case 'and':
      return holds(condition.left, item, values) && holds(condition.right, item, values)
    case 'or':
      return holds(condition.left, item, values) || holds(condition.right, item, values)
    case 'not':
      return !holds(condition.of, item, values)
    case 'compare':
      return compares(
        condition.comparison,
        read(condition.left, item, values),
        read(condition.right, item, values),
      )
    case 'in': {
      const wanted = read(condition.operand, item, values)
      return condition.list.some((operand) => compares('=', wanted, read(operand, item, values)))
    }
    case 'call':
      return calls(condition.name, condition.arguments, item, values)
  }
}

function compares(
  comparison: Comparison,
  left: AttributeValue | undefined,
  right: AttributeValue | undefined,
): boolean {
  if (left === undefined || right === undefined) return comparison === '<>'
  if (comparison === '=') return equal(left, right)
  if (comparison === '<>') return !equal(left, right)
  const order = orderOf(left, right)
  if (order === null) return false
  switch (comparison) {
    case '<':
      return order < 0
    case '<=':
      return order <= 0
    case '>':
      return order > 0
    case '>=':
      return order >= 0
  }
}

/** Null if DynamoDB has no order between the two. */
function orderOf(left: AttributeValue, right: AttributeValue): number | null {
  if (left.N !== undefined && right.N !== undefined) return compareNumbers(left.N, right.N)
  if (left.S !== undefined && right.S !== undefined)
    return Buffer.compare(Buffer.from(left.S), Buffer.from(right.S))
  if (left.B !== undefined && right.B !== undefined) return Buffer.compare(left.B, right.B)
  return null
}

function equal(left: AttributeValue, right: AttributeValue): boolean {
  return isDeepStrictEqual(comparable(left), comparable(right))
}

/** A form in which equal values are deeply equal: numbers without spelling, sets without order. */
function comparable(value: AttributeValue): unknown {
  const tag = tagOf(value)
  switch (tag) {
    case 'N':
      return [tag, addNumbers(value.N ?? '', '0')]
    case 'B':
      return [tag, Buffer.from(value.B ?? []).toString('hex')]
    case 'L':
      return [tag, (value.L ?? []).map(comparable)]
    case 'M':
      return [tag, new Map(Object.entries(value.M ?? {}).map(([name, inner]) => [name, comparable(inner)]))]
    case 'SS':
    case 'NS':
    case 'BS':
      return [tag, new Set(members(value).map((member) => JSON.stringify(comparable(member))))]
    default:
      return [tag, value[tag]]
  }
}

/** The members of a set, each as a value of its own. */
function members(set: AttributeValue): AttributeValue[] {
  if (set.SS !== undefined) return set.SS.map((S) => ({ S }))
  if (set.NS !== undefined) return set.NS.map((N) => ({ N }))
  return (set.BS ?? []).map((B) => ({ B }))
}

function calls(name: string, given: readonly Operand[], item: Item, values: Values): boolean {
  const [first, second] = given
  const subject = first && read(first, item, values)
  const other = second && read(second, item, values)
  switch (name) {
    case 'attribute_exists':
      return subject !== undefined
    case 'attribute_not_exists':
      return subject === undefined
    case 'attribute_type':
      return subject !== undefined && tagOf(subject) === other?.S
    case 'begins_with':
      return subject !== undefined && other !== undefined && begins(subject, other)
    case 'contains':
      return subject !== undefined && other !== undefined && contains(subject, other)
    default:
      throw new InvalidExpression(`A condition has no function ${name}.`)
  }
}

function begins(subject: AttributeValue, start: AttributeValue): boolean {
  if (subject.B !== undefined && start.B !== undefined)
    return Buffer.from(subject.B).subarray(0, start.B.length).equals(start.B)
  return subject.S !== undefined && start.S !== undefined && subject.S.startsWith(start.S)
}

function contains(subject: AttributeValue, part: AttributeValue): boolean {
  if (subject.S !== undefined) return part.S !== undefined && subject.S.includes(part.S)
  if (subject.B !== undefined)
    return part.B !== undefined && Buffer.from(subject.B).includes(Buffer.from(part.B))
  return [...members(subject), ...(subject.L ?? [])].some((member) => equal(member, part))
}

// ── values ──

function read(operand: Operand, item: Item, values: Values): AttributeValue | undefined {
  switch (operand.kind) {
    case 'path':
      return at(item, operand.path)
    case 'value': {
      const value = Object.hasOwn(values, operand.name) ? values[operand.name] : undefined
      if (value === undefined)
        throw new InvalidExpression(`${operand.name} is not in ExpressionAttributeValues.`)
      return value
    }
    case 'sum':
      return sum(read(operand.left, item, values), read(operand.right, item, values), operand.sign)
    case 'call':
      return computed(operand.name, operand.arguments, item, values)
  }
}

function computed(
  name: string,
  given: readonly Operand[],
  item: Item,
  values: Values,
): AttributeValue | undefined {
  const [first, second] = given.map((operand) => read(operand, item, values))
  switch (name) {
    case 'size':
      return first === undefined ? undefined : { N: String(sizeOf(first)) }
    case 'if_not_exists':
      return first ?? second
    case 'list_append':
      if (first?.L === undefined || second?.L === undefined)
        throw new InvalidExpression('list_append needs two lists.')
      return { L: [...first.L, ...second.L] }
    default:
      throw new InvalidExpression(`An expression has no function ${name}.`)
  }
}

function sizeOf(value: AttributeValue): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S)
  if (value.B !== undefined) return value.B.length
  if (value.M !== undefined) return Object.keys(value.M).length
  if (value.L !== undefined) return value.L.length
  return members(value).length
}

function sum(
  left: AttributeValue | undefined,
  right: AttributeValue | undefined,
  sign: 1 | -1,
): AttributeValue {
  if (left?.N === undefined || right?.N === undefined)
    throw new InvalidExpression('A sum needs two numbers that exist: use if_not_exists(path, :zero).')
  return { N: addNumbers(left.N, right.N, sign) }
}

function at(item: Item, [name, ...steps]: Path): AttributeValue | undefined {
  let value = Object.hasOwn(item, name) ? item[name] : undefined
  for (const step of steps) value = inside(value, step)
  return value
}

function inside(value: AttributeValue | undefined, step: string | number): AttributeValue | undefined {
  if (typeof step === 'number') return value?.L?.[step]
  const map = value?.M
  return map !== undefined && Object.hasOwn(map, step) ? map[step] : undefined
}

// ── updates ──

/** An element that is removed shifts those after it, and paths mean the item before. So deeper and later places go first. */
function lastFirst(one: Path, other: Path): number {
  const index = (path: Path) => {
    const last = path.at(-1)
    return typeof last === 'number' ? last : 0
  }
  return other.length - one.length || index(other) - index(one)
}

/** The item after an update. Every operand is read from the item as it was before. */
export function updated(update: Update, before: Item, values: Values): Item {
  const written: (readonly [Path, AttributeValue | undefined])[] = []
  for (const { path, operand } of update.set) {
    const value = read(operand, before, values)
    if (value === undefined)
      throw new InvalidExpression(`The value for ${path.join('.')} is an attribute that the item lacks.`)
    written.push([path, value])
  }
  for (const { path, operand } of update.add)
    written.push([path, added(at(before, path), read(operand, before, values), path)])
  for (const { path, operand } of update.delete)
    written.push([path, without(at(before, path), read(operand, before, values), path)])
  for (const path of update.remove.toSorted(lastFirst)) written.push([path, undefined])
  return written.reduce((item, [path, value]) => put(item, path, value), before)
}

function added(
  now: AttributeValue | undefined,
  more: AttributeValue | undefined,
  path: Path,
): AttributeValue {
  if (more?.N !== undefined && (now === undefined || now.N !== undefined))
    return { N: addNumbers(now?.N ?? '0', more.N) }
  const tag = more === undefined ? undefined : tagOf(more)
  const isSet = tag === 'SS' || tag === 'NS' || tag === 'BS'
  if (more !== undefined && isSet && (now === undefined || tagOf(now) === tag))
    return setOf(tag, [...(now === undefined ? [] : members(now)), ...members(more)])
  throw new InvalidExpression(`ADD needs a number, or sets of one type: ${path.join('.')}.`)
}

function without(
  now: AttributeValue | undefined,
  less: AttributeValue | undefined,
  path: Path,
): AttributeValue | undefined {
  const tag = less === undefined ? undefined : tagOf(less)
  const isSet = tag === 'SS' || tag === 'NS' || tag === 'BS'
  if (less === undefined || !isSet || (now !== undefined && tagOf(now) !== tag))
    throw new InvalidExpression(`DELETE needs sets of one type: ${path.join('.')}.`)
  if (now === undefined) return undefined
  const rest = members(now).filter((member) => !members(less).some((gone) => equal(member, gone)))
  return rest.length === 0 ? undefined : setOf(tag, rest)
}

function setOf(tag: 'SS' | 'NS' | 'BS', all: readonly AttributeValue[]): AttributeValue {
  const distinct = all.filter((member, index) => all.findIndex((other) => equal(member, other)) === index)
  if (tag === 'SS') return { SS: distinct.map(({ S = '' }) => S) }
  if (tag === 'NS') return { NS: distinct.map(({ N = '0' }) => N) }
  return { BS: distinct.map(({ B = new Uint8Array() }) => B) }
}

/** A copy of the item with one place written; undefined removes it. */
function put(item: Item, [name, ...steps]: Path, value: AttributeValue | undefined): Item {
  const [next, ...rest] = steps
  if (next === undefined) {
    const { [name]: _, ...others } = item
    return value === undefined ? others : { ...others, [name]: value }
  }
  const holder = item[name]
  return { ...item, [name]: putInside(holder, [next, ...rest], value) }
}

function putInside(
  holder: AttributeValue | undefined,
  [step, ...rest]: readonly [string | number, ...(string | number)[]],
  value: AttributeValue | undefined,
): AttributeValue {
  const [next, ...others] = rest
  const inner = next === undefined ? value : putInside(inside(holder, step), [next, ...others], value)
  if (typeof step === 'string' && holder?.M !== undefined) {
    const { [step]: _, ...members } = holder.M
    return { M: inner === undefined ? members : { ...members, [step]: inner } }
  }
  if (typeof step === 'number' && holder?.L !== undefined) {
    if (inner === undefined) return { L: holder.L.filter((_, index) => index !== step) }
    return { L: holder.L.toSpliced(Math.min(step, holder.L.length), 1, inner) }
  }
  throw new InvalidExpression('The document path of an update does not exist in the item.')
}
