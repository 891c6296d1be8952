import { inspect, types } from 'node:util'

/**
 * Reads values that were thrown. Any value can be thrown: an error that is its own cause, an object without a prototype,
 * an object whose getters throw, a proxy. Code that handles a failure must not fail because of the value. So it reads
 * caught values only with the functions of this file, and these never throw.
 */

/** The readable parts of a thrown value: plain data without cycles, for a log line. */
export interface ThrownFacts {
  readonly name: string
  readonly message: string
  readonly stack?: string
  readonly cause?: ThrownFacts
  /** The members of an AggregateError. */
  readonly errors?: readonly ThrownFacts[]
  /** The other properties of an error. Objects are printed as text. */
  readonly properties?: Readonly<Record<string, unknown>>
}

/** CloudWatch cuts log lines above a megabyte, and the rest is not JSON. */
const maxText = 16_000
const maxProperties = 20
const maxErrors = 10
/** Causes and members are described up to this depth. */
const maxDepth = 5

/** For the log of the function that caught the value. It can contain row values, so do not send it anywhere else. */
export function describeThrown(thrown: unknown): ThrownFacts {
  return describe(thrown, [])
}

/** @param above the errors whose cause or member this one is */
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

/** An error's name. For a value that is not an error, its type: `string`, `undefined` and so on. */
export function nameOf(thrown: unknown): string {
  const name = isObject(thrown) ? read(thrown, 'name') : undefined
  if (typeof name === 'string' && name !== '') return name.slice(0, maxText)
  return isError(thrown) ? 'Error' : typeof thrown
}

/** The message of an error or object; any other value as text. */
export function messageOf(thrown: unknown): string {
  if (!isObject(thrown)) return String(thrown).slice(0, maxText)
  const message = read(thrown, 'message')
  if (typeof message === 'string') return message.slice(0, maxText)
  return `${isError(thrown) ? 'an error' : 'an object'} without a readable message`
}

/** Name and message as one text, to quote in another error. */
export function reasonOf(thrown: unknown): string {
  return isError(thrown) ? `${nameOf(thrown)}: ${messageOf(thrown)}` : messageOf(thrown)
}

/** True for an error of any realm. False for a proxy that throws when it is examined. */
export function isError(value: unknown): value is Error {
  try {
    return types.isNativeError(value) || value instanceof Error
  } catch {
    return false
  }
}

/**
 * Returns the value itself if Lambda's runtime and middleware can read it. They read name, message and stack, and follow
 * the causes. Otherwise it returns an error with the readable parts.
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
  const described: ReadonlySet<string> = new Set(['name', 'message', 'stack', 'cause', 'errors'])
  const others = keys.filter((key) => !described.has(key)).slice(0, maxProperties)
  if (others.length === 0) return null
  return Object.fromEntries(others.map((key) => [key, printProperty(read(error, key))]))
}

function printProperty(value: unknown): unknown {
  if (value === unreadable) return 'cannot be read'
  if (typeof value === 'string') return value.slice(0, maxText)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value
  return print(value)
}

/** As Node.js prints it. This runs no code of the value, and shows the target of a proxy. */
function print(value: unknown): string {
  try {
    return inspect(value, { depth: 4, customInspect: false, maxStringLength: 2_000 }).slice(0, maxText)
  } catch {
    return 'a value that cannot be printed'
  }
}
