import type { StoredText } from '../config.ts'
import { DtsError } from '../errors.ts'
import { type Service, serviceAdvice } from '../text/service-fault.ts'
import { nameOf } from '../text/thrown.ts'

/** Reads a stored text; undefined if it is binary. */
export interface TextStores {
  readonly secret: (id: string) => Promise<string | undefined>
  readonly parameter: (name: string) => Promise<string | undefined>
}

/** A text that AWS stores: a password, or the key of masks. */
export interface Place {
  /** For people, such as "The secret prod/dts". */
  readonly name: string
  readonly service: Service
  /** The variable that names it. */
  readonly variable: string
  readonly kind: 'password' | 'key'
  readonly facts: Readonly<Record<string, string>>
  readonly read: () => Promise<string | undefined>
}

const variables = {
  password: { secret: 'DTS_PASSWORD_SECRET', parameter: 'DTS_PASSWORD_PARAMETER' },
  key: { secret: 'MASK_KEY_SECRET', parameter: 'MASK_KEY_PARAMETER' },
} as const

export function placeOf(stored: StoredText, kind: Place['kind'], stores: TextStores): Place {
  if ('secretId' in stored) {
    const { secretId } = stored
    return {
      name: `The secret ${secretId}`,
      service: 'Secrets Manager',
      variable: variables[kind].secret,
      kind,
      facts: { secretId },
      read: () => stores.secret(secretId),
    }
  }
  const { parameter } = stored
  return {
    name: `The parameter ${parameter}`,
    service: 'SSM',
    variable: variables[kind].parameter,
    kind,
    facts: { parameter },
    read: () => stores.parameter(parameter),
  }
}

/** What Secrets Manager and SSM call a secret or parameter that does not exist. */
const missingNames = ['ResourceNotFoundException', 'ParameterNotFound']

/** @throws DtsError SECRET_UNAVAILABLE, which quotes nothing of the text */
export async function readText(place: Place): Promise<string> {
  const { service, variable, kind, read } = place
  let text: string | undefined
  try {
    text = await read()
  } catch (cause) {
    const reason = nameOf(cause)
    if (missingNames.includes(reason)) {
      const what = `does not exist in this account and region (${reason}): store the ${kind} there, or correct ${variable}`
      throw unavailable(place, what, cause)
    }
    const otherwise = `Check ${variable} and that this function's role may read it.`
    const advice = serviceAdvice(service, cause, otherwise)
    throw unavailable(place, `cannot be read (${reason}). ${advice}`.replace(/\.$/, ''), cause)
  }
  if (text !== undefined) return text
  const remedy =
    kind === 'password' ? 'store the password as text, or as JSON with "password"' : 'store the key as text'
  throw unavailable(place, `is binary: ${remedy}`)
}

/** @param what the fault and its remedy, without the last full stop */
export function unavailable({ name, kind, facts }: Place, what: string, cause?: unknown): DtsError {
  const meaning = kind === 'key' ? ' Without the key of the masks no change was delivered.' : ''
  return new DtsError('SECRET_UNAVAILABLE', `${name} ${what}.${meaning}`, { retryable: true, facts, cause })
}
