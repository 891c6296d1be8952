import { SqlTokens, type Token } from './sql-tokens.ts'
import type { SourceType } from './types.ts'

/** More qualifiers than this in a text that is not understood are taken for any. */
export const mostQualifiers = 1_000

/** Moves through a SQL text token by token, and remembers what its names are qualified by. */
export class SqlCursor {
  readonly #tokens: SqlTokens
  #token: Token
  #before: Token = { kind: 'end', text: '' }
  /** Of all names with a dot so far, whatever they name. */
  readonly qualifiers = new Set<string>()

  constructor(sql: string, source: SourceType) {
    this.#tokens = new SqlTokens(sql, source)
    this.#token = this.#tokens.next()
  }

  /** Whether the text ended within quotes or a comment. */
  get isBroken(): boolean {
    return this.#tokens.isBroken
  }

  get isMySql(): boolean {
    return this.#tokens.isMySql
  }

  /** Whether the token at hand is what an `=` or `@` before it is about. */
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

  /** Whether the statement at hand has come to its end. */
  isOver(): boolean {
    return this.isAtEnd() || this.isSymbol(';')
  }

  /** The keyword at hand, in capitals; empty when it is no word. */
  word(): string {
    return this.#token.kind === 'word' ? this.#token.text.toUpperCase() : ''
  }

  /** Moves over a keyword if it is there. */
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

  /** The parts of a name; null when there is none, or one of more parts than that. */
  name(most = 3): readonly string[] | null {
    // ODBC's way to say the current database.
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
