import { SqlTokens, type Token } from './sql-tokens.ts'
import type { SourceType } from './types.ts'

/** If an unknown text has more qualifiers than this, it may concern any table. */
export const mostQualifiers = 1_000

/** Moves through a SQL text token by token, and collects the qualifiers of its names. */
export class SqlCursor {
  readonly #tokens: SqlTokens
  #token: Token
  #before: Token = { kind: 'end', text: '' }
  /** The part before a dot, of all names so far. */
  readonly qualifiers = new Set<string>()

  constructor(sql: string, source: SourceType) {
    this.#tokens = new SqlTokens(sql, source)
    this.#token = this.#tokens.next()
  }

  /** True after the text ended within quotes or a comment. */
  get isBroken(): boolean {
    return this.#tokens.isBroken
  }

  get isMySql(): boolean {
    return this.#tokens.isMySql
  }

  /** True if the current token follows an `=` or `@`. */
  get isValue(): boolean {
    return this.#before.kind === 'symbol' && ['=', '@'].includes(this.#before.text)
  }

  advance(): void {
    this.#before = this.#token
    this.#token = this.#tokens.next()
    if (this.isSymbol('.') && isName(this.#before) && this.qualifiers.size <= mostQualifiers) {
      this.qualifiers.add(this.#before.text)
    }
  }

  isSymbol(symbol: string): boolean {
    return this.#token.kind === 'symbol' && this.#token.text === symbol
  }

  isAtEnd(): boolean {
    return this.#token.kind === 'end'
  }

  /** True at the end of the current statement. */
  isOver(): boolean {
    return this.isAtEnd() || this.isSymbol(';')
  }

  /** The current keyword, in capitals; empty if the token is not a word. */
  word(): string {
    return this.#token.kind === 'word' ? this.#token.text.toUpperCase() : ''
  }

  /** Moves over the current keyword if it is one of these. */
  accept(...words: readonly string[]): boolean {
    if (!words.includes(this.word())) return false
    this.advance()
    return true
  }

  comma(): boolean {
    if (!this.isSymbol(',')) return false
    this.advance()
    return true
  }

  /** Reads a name. @returns its parts; null if there is none, or if it has more than `most` parts */
  name(most = 3): readonly string[] | null {
    // ODBC: a leading dot means the current database.
    if (this.isSymbol('.')) this.advance()
    const parts: string[] = []
    for (;;) {
      if (!isName(this.#token) || this.#token.text === '') return null
      parts.push(this.#token.text)
      this.advance()
      if (!this.isSymbol('.')) break
      this.advance()
    }
    return parts.length > most ? null : parts
  }
}

function isName(token: Token): boolean {
  return token.kind === 'word' || token.kind === 'quoted'
}
