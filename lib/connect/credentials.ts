import type { SourceConfig } from '../config.ts'
import { DtsError } from '../errors.ts'
import type { Credentials } from '../kafka/connection.ts'
import { readPassword } from './stored-password.ts'
import { placeOf, type TextStores, unavailable } from './stored-text.ts'

/**
 * User and password for the broker. A password that AWS stores is read once per process, and again by `renew`: after a
 * rotation, the broker refuses the cached one.
 */
export class CredentialSource {
  readonly #config: Pick<SourceConfig, 'user' | 'password'>
  readonly #stores: TextStores
  #cached: Credentials | null | undefined
  #note: string | null = null

  constructor(config: Pick<SourceConfig, 'user' | 'password'>, stores: TextStores) {
    this.#config = config
    this.#stores = stores
  }

  /** Null if none are configured. @throws DtsError SECRET_UNAVAILABLE */
  async get(): Promise<Credentials | null> {
    this.#cached ??= await this.#read()
    return this.#cached
  }

  /** Reads the password again. @returns false if it did not change. @throws DtsError SECRET_UNAVAILABLE */
  async renew(): Promise<boolean> {
    const { password } = this.#config
    if (password === undefined || 'value' in password) return false
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
    const place = 'value' in password ? null : placeOf(password, 'password', this.#stores)
    const text =
      'value' in password ? password.value : await readPassword(placeOf(password, 'password', this.#stores))
    // An editor or `echo` adds a line break, and DTS refuses the password with it.
    const trimmed = text.replace(/^\uFEFF/, '').replace(/[\r\n]+$/, '')
    if (trimmed === '')
      throw place === null ? emptyPassword() : unavailable(place, 'holds an empty password: store it')
    this.#note =
      trimmed === text
        ? null
        : `${place?.name ?? 'DTS_PASSWORD'} has a line break at the end of the password, or a byte order mark before it. The ` +
          'password is used without it; store it again without it.'
    return { username: user, password: trimmed }
  }
}

function emptyPassword(): DtsError {
  return new DtsError('CONFIG_INVALID', 'DTS_PASSWORD contains only a line break: set it again.', {
    retryable: false,
  })
}
