import { inspect, types } from 'node:util'

/**
 * Reads values that were thrown. Anything can be thrown: an error that is its own cause, an object without a
 * prototype, one whose getters throw, a proxy. Code that handles a failure must not fail on what it handles, so
 * it reads a caught value through this file alone. Nothing here throws.
 */

/** What can be read of a thrown value: plain data, without cycles, for a log line. */
export interface ThrownFacts {
  readonly name: string
  readonly message: string
  readonly stack?: string
  readonly cause?: ThrownFacts
  /** The members of an AggregateError. */
  readonly errors?: readonly ThrownFacts[]
  /** The other properties of an error: single values as they are, objects printed. */
  readonly properties?: Readonly<Record<string, unknown>>
}

/** A log line above a megabyte is cut by CloudWatch, and is then no JSON. */
const maxText = 16_000
const maxProperties = 20
const maxErrors = 10
/** Causes and members are followed this deep. */
const maxDepth = 5

/** For the log of the function that caught it. It can hold row values: it never leaves that function. */
export function describeThrown(thrown: unknown): ThrownFacts {
  return describe(thrown, [])
}

/** @param above the errors that this one is a cause or a member of */
function describe(thrown: unknown, above: readonly unknown[]): ThrownFacts {
  const facts = { name: nameOf(thrown), message: messageOf(thrown) }
  // An error that is its own cause has been described already.
  if (isObject(thrown) && above.includes(thrown)) return facts
  if (!isError(thrown)) return isObject(thrown) ? { ...facts, properties: { value: print(thrown) } } : facts
  const stack = read(thrown, 'stack')
  const cause = read(thrown, 'cause')
  const errors = read(thrown, 'errors')
  const properties = propertiesOf(thrown)
  const follow = above.length < maxDepth
  const inside = [...above, thrown]
  return {
    ...facts,
    ...(typeof stack === 'string' ? { stack: stack.slice(0, maxText) } : {}),
    ...(follow && cause !== undefined ? { cause: describe(cause, inside) } : {}),
    ...(follow && Array.isArray(errors)
      ? { errors: errors.slice(0, maxErrors).map((error) => describe(error, inside)) }
      : {}),
    ...(properties === null ? {} : { properties }),
  }
}

/** An error's name; `string`, `undefined` and so on for a value that is no error. */
export function nameOf(thrown: unknown): string {
  const name = isObject(thrown) ? read(thrown, 'name') : undefined
  if (typeof name === 'string' && name !== '') return name.slice(0, maxText)
  return isError(thrown) ? 'Error' : typeof thrown
}

/** An error's message, or the value itself when it is a single one; of other objects only their message. */
export function messageOf(thrown: unknown): string {
  if (!isObject(thrown)) return String(thrown).slice(0, maxText)
  const message = read(thrown, 'message')
  if (typeof message === 'string') return message.slice(0, maxText)
  return `${isError(thrown) ? 'an error' : 'an object'} without a message that can be read`
}

/** One text for the message of another error. */
export function reasonOf(thrown: unknown): string {
  return isError(thrown) ? `${nameOf(thrown)}: ${messageOf(thrown)}` : messageOf(thrown)
}

/** True for errors, those of another realm too; false for a proxy that does not let itself be asked. */
export function isError(value: unknown): value is Error {
  try {
    return types.isNativeError(value) || value instanceof Error
  } catch {
    return false
  }
}

/**
 * The value itself when whoever catches it next can read it; otherwise an error that says what can be read. Lambda's
 * runtime and middleware read name, message and stack, and follow the causes.
 */
export function readableError(thrown: unknown): unknown {
  return isReadable(thrown, new Set()) ? thrown : stateOf(describeThrown(thrown))
}

function isReadable(thrown: unknown, seen: Set<unknown>): boolean {
  if (!isObject(thrown)) return typeof thrown !== 'symbol'
  if (!isError(thrown) || seen.has(thrown) || seen.size > maxDepth) return false
  seen.add(thrown)
  const areTexts = ['name', 'message', 'stack'].every((key) => typeof read(thrown, key) === 'string')
  const cause = read(thrown, 'cause')
  return areTexts && printsAsJson(thrown) && (cause === undefined || isReadable(cause, seen))
}

function printsAsJson(value: object): boolean {
  try {
    JSON.stringify(value)
    return true
  } catch {
    return false
  }
}

function stateOf({ name, message, stack }: ThrownFacts): Error {
  const error = new Error(message)
  error.name = name
  if (stack !== undefined) error.stack = stack
  return error
}

const unreadable = Symbol('unreadable')

function read(object: object, key: string): unknown {
  try {
    return Reflect.get(object, key)
  } catch {
    return unreadable
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

function propertiesOf(error: Error): Record<string, unknown> | null {
  let keys: string[]
  try {
    keys = Object.keys(error)
  } catch {
    return null
  }
  const told: ReadonlySet<string> = new Set(['name', 'message', 'stack', 'cause', 'errors'])
  const others = keys.filter((key) => !told.has(key)).slice(0, maxProperties)
  if (others.length === 0) return null
  return Object.fromEntries(others.map((key) => [key, printProperty(read(error, key))]))
}

function printProperty(value: unknown): unknown {
  if (value === unreadable) return 'cannot be read'
  if (typeof value === 'string') return value.slice(0, maxText)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value
  return print(value)
}

/** As Node.js prints it, without calling anything of the value: of a proxy, what it stands for. */
function print(value: unknown): string {
  try {
    return inspect(value, { depth: 4, customInspect: false, maxStringLength: 2_000 }).slice(0, maxText)
  } catch {
    return 'a value that cannot be printed'
  }
}
