import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { z } from 'zod'
import type { StreamConfig } from './config.ts'
import { DtsError } from './errors.ts'
import type { Credentials } from './kafka/wire.ts'
import { nameOf } from './thrown.ts'

/**
 * Who we are to the broker. A password from Secrets Manager is read once per process, and again by `renew`: after
 * a rotation the cached one is refused.
 */
export class CredentialSource {
  readonly #config: Pick<StreamConfig, 'user' | 'password'>
  readonly #client: () => SecretsManagerClient
  #cached: Credentials | null | undefined

  constructor(config: Pick<StreamConfig, 'user' | 'password'>, client: () => SecretsManagerClient) {
    this.#config = config
    this.#client = client
  }

  /** Null when the broker asks for none. @throws DtsError SECRET_UNAVAILABLE */
  async get(): Promise<Credentials | null> {
    this.#cached ??= await this.#read()
    return this.#cached
  }

  /** False when reading again cannot change anything. @throws DtsError SECRET_UNAVAILABLE */
  async renew(): Promise<boolean> {
    const { password } = this.#config
    if (password === undefined || !('secretId' in password)) return false
    const before = await this.get()
    this.#cached = await this.#read()
    return this.#cached?.password !== before?.password
  }

  async #read(): Promise<Credentials | null> {
    const { user, password } = this.#config
    if (user === undefined || password === undefined) return null
    if ('value' in password) return { username: user, password: password.value }
    return { username: user, password: await this.#readSecret(password.secretId) }
  }

  async #readSecret(secretId: string): Promise<string> {
    let text: string | undefined
    try {
      text = (await this.#client().send(new GetSecretValueCommand({ SecretId: secretId }))).SecretString
    } catch (cause) {
      const reason = nameOf(cause)
      throw unavailable(secretId, `cannot be read (${reason})`, cause)
    }
    const password = text === undefined ? null : passwordIn(text)
    if (password === null) throw unavailable(secretId, 'holds neither a text nor JSON with a "password"')
    return password
  }
}

const jsonSecret = z.object({ password: z.string().min(1) })

/** The secret itself, or the `password` of a JSON object, as Secrets Manager's console writes it. */
function passwordIn(text: string): string | null {
  if (!text.trimStart().startsWith('{')) return text === '' ? null : text
  try {
    return jsonSecret.parse(JSON.parse(text)).password
  } catch {
    return null
  }
}

function unavailable(secretId: string, what: string, cause?: unknown): DtsError {
  return new DtsError(
    'SECRET_UNAVAILABLE',
    `The secret ${secretId} ${what}. Check DTS_PASSWORD_SECRET and that this function's role may read it.`,
    { retryable: true, facts: { secretId }, cause },
  )
}
