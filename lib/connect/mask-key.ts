import type { PollConfig, StoredText } from '../config.ts'
import { DtsError } from '../errors.ts'
import { placeOf, readText, type TextStores, unavailable } from './stored-text.ts'

/** Shorter keys can be guessed together with the values. */
const fewestCharacters = 16

/**
 * Reads the key of masks once per process.
 * @returns null if no key is configured
 */
export function maskKeyReader(
  { maskKey }: Pick<PollConfig, 'maskKey'>,
  stores: TextStores,
): () => Promise<string | null> {
  let cached: string | undefined
  return async () => {
    if (maskKey === undefined) return null
    cached ??= 'value' in maskKey ? ownKey(maskKey.value) : await storedKey(maskKey, stores)
    return cached
  }
}

async function storedKey(stored: StoredText, stores: TextStores): Promise<string> {
  const place = placeOf(stored, 'key', stores)
  const key = trimmed(await readText(place))
  if (key.length >= fewestCharacters) return key
  throw unavailable(place, tooShort(key))
}

function ownKey(value: string): string {
  const key = trimmed(value)
  if (key.length >= fewestCharacters) return key
  throw new DtsError('CONFIG_INVALID', `MASK_KEY ${tooShort(key)}.`, { retryable: false })
}

/** An editor or `echo` adds a line break. With it, another copy of the key would make other hashes. */
function trimmed(text: string): string {
  return text.replace(/^\uFEFF/, '').replace(/[\r\n]+$/, '')
}

function tooShort({ length }: string): string {
  return (
    `has a key of ${length} characters. Store one of at least ${fewestCharacters} random characters, such as the output of ` +
    'openssl rand -hex 32'
  )
}
