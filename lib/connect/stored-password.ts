import { type Place, readText, unavailable } from './stored-text.ts'

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
