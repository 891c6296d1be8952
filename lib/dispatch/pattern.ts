/** The pattern of a route that gets every table without another route. */
export const catchAll = '*'

/** A name or pattern as a handler declares it: `database.table`, `database.schema.table`, or `*`. `!` excludes. */
export type DeclaredTable = '*' | `${string}.${string}`

/**
 * A table's name as a handler declares it: two or three parts with dots between them, in which `*` means any run of
 * characters but a dot; or `*` alone, which matches every table.
 */
export class Pattern {
  readonly text: string
  /** For each part, the texts between its stars. A part without a star is one text. */
  readonly #parts: readonly (readonly string[])[]

  constructor(text: string) {
    // Several stars in a row mean the same as one.
    this.text = text.replaceAll(/\*+/g, '*')
    this.#parts = this.text.split('.').map((part) => part.split('*'))
  }

  get isCatchAll(): boolean {
    return this.text === catchAll
  }

  /** Whether it matches exactly one table. */
  get isExact(): boolean {
    return !this.text.includes('*')
  }

  /** The number of parts of the names that it can match. */
  get length(): number {
    return this.#parts.length
  }

  matches(name: string): boolean {
    return this.matchesParts(name.split('.'))
  }

  /** @param parts the parts of a name; null matches every part of a pattern */
  matchesParts(parts: readonly (string | null)[]): boolean {
    if (this.isCatchAll) return true
    return (
      parts.length === this.#parts.length &&
      this.#parts.every((pieces, at) => {
        const part = parts[at] ?? null
        return part === null || matchesPieces(pieces, part)
      })
    )
  }

  /** Whether one of its parts, counted from 0, matches a part of a name. */
  matchesPart(at: number, part: string): boolean {
    const pieces = this.#parts[at]
    return pieces !== undefined && matchesPieces(pieces, part)
  }

  /** Whether it matches every name that `other` matches. */
  contains(other: Pattern): boolean {
    if (this.isCatchAll || other.isCatchAll) return this.isCatchAll
    return (
      this.length === other.length &&
      this.#parts.every((pieces, at) => containsPart(pieces, other.#parts[at] ?? []))
    )
  }

  /** Whether both match a common name. */
  meets(other: Pattern): boolean {
    if (this.isCatchAll || other.isCatchAll) return true
    return (
      this.length === other.length &&
      this.#parts.every((pieces, at) => meetsPart(pieces.join('*'), (other.#parts[at] ?? []).join('*')))
    )
  }

  /** True if it surely matches every name that both `one` and `other` match; false if that is not certain. */
  coversMeeting(one: Pattern, other: Pattern): boolean {
    if (this.isCatchAll) return true
    if (one.isCatchAll || other.isCatchAll) return this.contains(one.isCatchAll ? other : one)
    return (
      this.length === one.length &&
      this.length === other.length &&
      this.#parts.every(
        (pieces, at) =>
          containsPart(pieces, one.#parts[at] ?? []) || containsPart(pieces, other.#parts[at] ?? []),
      )
    )
  }
}

/**
 * Sorts narrow patterns first: more characters that are not stars, then fewer stars, then by name. A pattern that another one
 * contains always has more such characters, or as many and fewer stars. So it always comes first.
 */
export function bySpecificity(one: Pattern, other: Pattern): number {
  if (one.isCatchAll !== other.isCatchAll) return one.isCatchAll ? 1 : -1
  const stars = (text: string) => text.split('*').length - 1
  const letters = (text: string) => text.length - stars(text)
  return (
    letters(other.text) - letters(one.text) ||
    stars(one.text) - stars(other.text) ||
    (one.text < other.text ? -1 : Number(one.text > other.text))
  )
}

/** The declaration of a handler: the patterns of its tables, and the patterns of exceptions. */
export interface DeclaredTables {
  readonly patterns: readonly string[]
  readonly except: readonly string[]
}

/** @param table the setting of `defineTable`: one or several names or patterns. `!` marks an exception. */
export function declaredTables(table: string | readonly string[]): DeclaredTables {
  const all = [table].flat().filter((text) => typeof text === 'string')
  return {
    patterns: [...new Set(all.filter((text) => !text.startsWith('!')))],
    except: [...new Set(all.filter((text) => text.startsWith('!')).map((text) => text.slice(1)))],
  }
}

/** The problems of a declaration; empty if it is valid. */
export function problemsOf({ patterns, except }: DeclaredTables): string[] {
  const problems = [
    ...patterns.filter((text) => text !== catchAll && !isName(text)),
    ...except.filter((text) => !isName(text)).map((text) => `!${text}`),
  ].map(
    (text) =>
      `table must be database.table, database.schema.table or *, not ${JSON.stringify(text)}; write a dot inside a name ` +
      "as \\u002E (in a string '\\\\u002E'), and reach a name with a blank at its end or a control character by a pattern " +
      '(shop.*orders)',
  )
  if (problems.length > 0) return problems
  if (patterns.length === 0) return ['table must be database.table, database.schema.table or *']
  const taken = patterns.map((text) => new Pattern(text))
  for (const text of except) {
    const left = new Pattern(text)
    if (!taken.some((pattern) => pattern.meets(left))) {
      problems.push(`!${text} leaves out what none of the handler's patterns match`)
    }
    const gone = taken.find((pattern) => left.contains(pattern))
    if (gone !== undefined) problems.push(`!${text} leaves out all of ${gone.text}`)
  }
  return problems
}

/** Names may contain blanks. A blank at an end, or a control character, is probably a mistake. */
function isName(text: string): boolean {
  const parts = text.split('.')
  const isPart = (part: string) => part !== '' && part === part.trim() && !/\p{Cc}/u.test(part)
  return (parts.length === 2 || parts.length === 3) && parts.every(isPart)
}

/** Linear in the name's length: it searches each text between two stars once, from the left. */
function matchesPieces(pieces: readonly string[], part: string): boolean {
  const first = pieces[0] ?? ''
  const last = pieces.at(-1) ?? ''
  if (pieces.length === 1) return part === first
  if (!part.startsWith(first) || !part.endsWith(last)) return false
  let at = first.length
  const end = part.length - last.length
  for (let index = 1; index < pieces.length - 1; index++) {
    const piece = pieces[index] ?? ''
    const found = part.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return at <= end
}

/** No name contains this character, so only a star matches it. It represents the text that another pattern's star matches. */
const anything = '\0'

function containsPart(pieces: readonly string[], other: readonly string[]): boolean {
  return matchesPieces(pieces, other.join(anything))
}

/** Whether two texts have different letters before the first star of both, so that no name matches both. */
function beginApart(one: string, other: string): boolean {
  for (let at = 0; at < one.length && at < other.length; at++) {
    if (one[at] === '*' || other[at] === '*') return false
    if (one[at] !== other[at]) return true
  }
  return false
}

/** Walks through `one` and tracks all positions in `other` that a common name can reach. */
function meetsPart(one: string, other: string): boolean {
  // Most of a service's patterns differ in their first letters, and packaging compares all of them.
  if (beginApart(one, other)) return false
  const letters = [...other]
  const overStars = (places: Set<number>) => {
    // A star also matches the empty text. The loop visits the positions that it adds.
    for (const at of places) if (letters[at] === '*') places.add(at + 1)
    return places
  }
  let reached = overStars(new Set([0]))
  for (const letter of one) {
    const next = new Set<number>()
    if (letter === '*') {
      for (let at = Math.min(...reached); at <= letters.length; at++) next.add(at)
    } else {
      for (const at of reached) {
        if (letters[at] === '*') next.add(at)
        else if (letters[at] === letter) next.add(at + 1)
      }
    }
    if (next.size === 0) return false
    reached = overStars(next)
  }
  return reached.has(letters.length)
}
