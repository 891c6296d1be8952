import type { Password } from '../config.ts'
import { DtsError } from '../errors.ts'
import { type Service, serviceAdvice } from '../text/service-fault.ts'
import { nameOf } from '../text/thrown.ts'

/** Reads a stored password as text; undefined if it is binary. */
export interface PasswordStores {
  readonly secret: (id: string) => Promise<string | undefined>
  readonly parameter: (name: string) => Promise<string | undefined>
}

/** Where AWS stores a password. */
export interface Place {
  /** For people, such as "The secret prod/dts". */
  readonly name: string
  readonly service: Service
  /** The variable that names it. */
  readonly variable: string
  readonly facts: Readonly<Record<string, string>>
  readonly read: () => Promise<string | undefined>
}

/** @param password a password that AWS stores */
export function placeOf(
  password: Exclude<Password, { readonly value: string }>,
  stores: PasswordStores,
): Place {
  if ('secretId' in password) {
    const { secretId } = password
    return {
      name: `The secret ${secretId}`,
      service: 'Secrets Manager',
      variable: 'DTS_PASSWORD_SECRET',
      facts: { secretId },
      read: () => stores.secret(secretId),
    }
  }
  const { parameter } = password
  return {
    name: `The parameter ${parameter}`,
    service: 'SSM',
    variable: 'DTS_PASSWORD_PARAMETER',
    facts: { parameter },
    read: () => stores.parameter(parameter),
  }
}

/**
 * The text itself, or the `password` of a JSON object, which Secrets Manager's console writes.
 * @throws DtsError SECRET_UNAVAILABLE, which quotes nothing of the text
 */
export async function readPassword(place: Place): Promise<string> {
  const text = await readText(place)
  const json = text.replace(/^\uFEFF/, '').trimStart()
  if (!json.startsWith('{')) return text
  let value: { readonly password?: unknown }
  try {
    value = JSON.parse(json)
  } catch {
    // Not the parser's error: it quotes the text.
    throw unavailable(
      place,
      'begins with "{" and is no JSON: correct the JSON, or, if that is the password itself, store it as {"password":"…"}',
    )
  }
  const { password } = value
  if (typeof password === 'string') return password
  if (password === undefined) throw unavailable(place, 'is JSON without "password" (in lower case)')
  if (typeof password === 'number')
    throw unavailable(place, 'has a number as "password", which may lose zeros and digits: put it in quotes')
  throw unavailable(
    place,
    `has ${password === null ? 'null' : `a value of type ${typeof password}`} as "password", and no text`,
  )
}

/** What Secrets Manager and SSM call a secret or parameter that does not exist. */
const missingNames = ['ResourceNotFoundException', 'ParameterNotFound']

async function readText(place: Place): Promise<string> {
  const { service, variable, read } = place
  let text: string | undefined
  try {
    text = await read()
  } catch (cause) {
    const reason = nameOf(cause)
    if (missingNames.includes(reason)) {
      const what = `does not exist in this account and region (${reason}): store the password there, or correct ${variable}`
      throw unavailable(place, what, cause)
    }
    const otherwise = `Check ${variable} and that this function's role may read it.`
    const advice = serviceAdvice(service, cause, otherwise)
    throw unavailable(place, `cannot be read (${reason}). ${advice}`.replace(/\.$/, ''), cause)
  }
  if (text !== undefined) return text
  throw unavailable(place, 'is binary: store the password as text, or as JSON with "password"')
}

/** @param what the fault and its remedy, without the last full stop */
export function unavailable({ name, facts }: Place, what: string, cause?: unknown): DtsError {
  return new DtsError('SECRET_UNAVAILABLE', `${name} ${what}.`, { retryable: true, facts, cause })
}
