import type { PollConfig } from '../config.ts'
import { DtsError } from '../errors.ts'
import { serviceAdvice } from '../text/service-fault.ts'
import { nameOf } from '../text/thrown.ts'

/** Shorter keys can be guessed together with the values. */
const fewestCharacters = 16

/**
 * Reads the key of masks once per process.
 * @param secret reads a secret as text; undefined if it is binary
 * @returns null if no key is configured
 */
export function maskKeyReader(
  { maskKey }: Pick<PollConfig, 'maskKey'>,
  secret: (id: string) => Promise<string | undefined>,
): () => Promise<string | null> {
  let cached: string | undefined
  return async () => {
    if (maskKey === undefined) return null
    cached ??=
      'value' in maskKey ? checked(maskKey.value, 'MASK_KEY') : await fromSecret(maskKey.secretId, secret)
    return cached
  }
}

async function fromSecret(
  secretId: string,
  secret: (id: string) => Promise<string | undefined>,
): Promise<string> {
  const name = `The secret ${secretId}, which MASK_KEY_SECRET names,`
  let text: string | undefined
  try {
    text = await secret(secretId)
  } catch (cause) {
    const otherwise = "Check MASK_KEY_SECRET and that this function's role may read it."
    throw unavailable(
      `${name} cannot be read (${nameOf(cause)}). ${serviceAdvice('Secrets Manager', cause, otherwise)}`,
      cause,
    )
  }
  if (text === undefined) throw unavailable(`${name} is binary: store the key as text.`)
  return checked(text, name)
}

/** An editor or `echo` adds a line break. With it, another copy of the key would make other hashes. */
function checked(text: string, name: string): string {
  const key = text.replace(/^\uFEFF/, '').replace(/[\r\n]+$/, '')
  if (key.length >= fewestCharacters) return key
  throw unavailable(
    `${name} has a key of ${key.length} characters. Store one of at least ${fewestCharacters} random characters, such as the ` +
      'output of openssl rand -hex 32.',
  )
}

function unavailable(message: string, cause?: unknown): DtsError {
  return new DtsError(
    'SECRET_UNAVAILABLE',
    `${message} Without the key of the masks no change was delivered.`,
    { retryable: true, cause },
  )
}
