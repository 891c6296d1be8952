import type { SourceConfig } from '../config.ts'
import { DtsError } from '../errors.ts'
import type { Credentials } from '../kafka/connection.ts'
import { serviceAdvice } from '../text/service-fault.ts'
import { nameOf } from '../text/thrown.ts'

/**
 * User and password for the broker. A password from Secrets Manager is read once per process, and again by `renew`: after a
 * rotation, the broker refuses the cached one.
 */
export class CredentialSource {
  readonly #config: Pick<SourceConfig, 'user' | 'password'>
  readonly #secretText: (secretId: string) => Promise<string | undefined>
  #cached: Credentials | null | undefined
  #note: string | null = null

  /** @param secretText reads a secret; undefined if it is binary */
  constructor(
    config: Pick<SourceConfig, 'user' | 'password'>,
    secretText: (secretId: string) => Promise<string | undefined>,
  ) {
    this.#config = config
    this.#secretText = secretText
  }

  /** Null if none are configured. @throws DtsError SECRET_UNAVAILABLE */
  async get(): Promise<Credentials | null> {
    this.#cached ??= await this.#read()
    return this.#cached
  }

  /** Reads the password again. @returns false if it did not change. @throws DtsError SECRET_UNAVAILABLE */
  async renew(): Promise<boolean> {
    const { password } = this.#config
    if (password === undefined || !('secretId' in password)) return false
    const before = await this.get()
    this.#cached = await this.#read()
    return this.#cached?.password !== before?.password
  }

  /** A fault of the stored password that was corrected, for people. Null if there was none, or before the first read. */
  get note(): string | null {
    return this.#note
  }

  async #read(): Promise<Credentials | null> {
    const { user, password } = this.#config
    if (user === undefined || password === undefined) return null
    const text =
      'value' in password
        ? password.value
        : passwordIn(password.secretId, await this.#readSecret(password.secretId))
    // An editor or `echo` adds a line break, and DTS refuses the password with it.
    const trimmed = text.replace(/^\uFEFF/, '').replace(/[\r\n]+$/, '')
    if (trimmed === '')
      throw 'value' in password
        ? emptyPassword()
        : unavailable(password.secretId, 'holds an empty password: store it')
    const where = 'value' in password ? 'DTS_PASSWORD' : `The secret ${password.secretId}`
    this.#note =
      trimmed === text
        ? null
        : `${where} has a line break at the end of the password, or a byte order mark before it. The password is used ` +
          'without it; store it again without it.'
    return { username: user, password: trimmed }
  }

  async #readSecret(secretId: string): Promise<string> {
    let text: string | undefined
    try {
      text = await this.#secretText(secretId)
    } catch (cause) {
      const reason = nameOf(cause)
      const otherwise = "Check DTS_PASSWORD_SECRET and that this function's role may read it."
      const advice = serviceAdvice('Secrets Manager', cause, otherwise)
      throw unavailable(secretId, `cannot be read (${reason}). ${advice}`.replace(/\.$/, ''), cause)
    }
    if (text === undefined)
      throw unavailable(secretId, 'is binary: store the password as text, or as JSON with "password"')
    return text
  }
}

/**
 * The secret itself, or the `password` of a JSON object, which Secrets Manager's console writes.
 * @throws DtsError SECRET_UNAVAILABLE, which quotes nothing of the secret
 */
function passwordIn(secretId: string, text: string): string {
  const json = text.replace(/^\uFEFF/, '').trimStart()
  if (!json.startsWith('{')) return text
  const refuse = (what: string) => unavailable(secretId, what)
  let value: { readonly password?: unknown }
  try {
    value = JSON.parse(json)
  } catch {
    // Not the parser's error: it quotes the text.
    throw refuse(
      'begins with "{" and is no JSON: correct the JSON, or, if that is the password itself, store it as {"password":"…"}',
    )
  }
  const { password } = value
  if (typeof password === 'string') return password
  if (password === undefined) throw refuse('is JSON without "password" (in lower case)')
  if (typeof password === 'number')
    throw refuse('has a number as "password", which may lose zeros and digits: put it in quotes')
  throw refuse(
    `has ${password === null ? 'null' : `a value of type ${typeof password}`} as "password", and no text`,
  )
}

/** @param what the fault and its remedy, without the last full stop */
function unavailable(secretId: string, what: string, cause?: unknown): DtsError {
  return new DtsError('SECRET_UNAVAILABLE', `The secret ${secretId} ${what}.`, {
    retryable: true,
    facts: { secretId },
    cause,
  })
}

function emptyPassword(): DtsError {
  return new DtsError('CONFIG_INVALID', 'DTS_PASSWORD contains only a line break: set it again.', {
    retryable: false,
  })
}
