import type { SourceType } from './types.ts'

/**
 * `word`: a keyword or a name without quotes. `quoted`: a name, without its quotes; on a source that writes texts in `"`,
 * it can be a text. `text`: a text in single quotes or between dollar signs. `symbol`: any other character. `end`: the end.
 */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'text' | 'symbol' | 'end'
  readonly text: string
}

const end: Token = { kind: 'end', text: '' }
const text: Token = { kind: 'text', text: '' }

const backquote = 0x60
const doubleQuote = 0x22
const singleQuote = 0x27
const dollar = 0x24

/**
 * The tokens of SQL statements in the dialects of MySQL, PostgreSQL, Oracle, SQL Server and related sources, without
 * comments. It looks at each character a bounded number of times, even in a hostile text.
 */
export class SqlTokens {
  readonly #sql: string
  readonly #source: SourceType
  readonly #isMySql: boolean
  #at = 0
  #isBroken = false

  constructor(sql: string, source: SourceType) {
    this.#sql = sql
    this.#source = source
    this.#isMySql = source === 'MySQL' || source === 'DRDS' || source === 'OTHER'
  }

  /** True after a quote or comment without an end, or an escape that cannot be read: the rest of the text is unknown. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  get isMySql(): boolean {
    return this.#isMySql
  }

  next(): Token {
    this.#skipBlanks()
    const sql = this.#sql
    const start = this.#at
    if (start >= sql.length) return end
    const code = sql.charCodeAt(start)
    if (code === doubleQuote && this.#isMySql) return this.#text(doubleQuote, true)
    if (code === backquote || code === doubleQuote) return this.#quoted(sql[start] as string)
    if (code === 0x5b && this.#source === 'SQLServer') return this.#quoted(']')
    if (code === singleQuote) return this.#text(singleQuote, this.#isMySql)
    if (code === dollar && !this.#isMySql) {
      const token = this.#dollarText()
      if (token !== null) return token
    }
    if (!this.#isWord(code)) {
      this.#at = start + 1
      return { kind: 'symbol', text: sql[start] as string }
    }
    while (this.#at < sql.length && this.#isWord(sql.charCodeAt(this.#at))) this.#at += 1
    return this.#word(sql.slice(start, this.#at))
  }

  #word(word: string): Token {
    const following = this.#sql.charCodeAt(this.#at)
    if (!this.#isMySql && following === singleQuote && /^e$/i.test(word)) return this.#text(singleQuote, true)
    // Only PostgreSQL has names with Unicode escapes, and they are rare.
    if (/^u$/i.test(word) && this.#sql.startsWith('&"', this.#at)) this.#break()
    return { kind: 'word', text: word }
  }

  #isWord(code: number): boolean {
    return (
      (code >= 0x61 && code <= 0x7a) ||
      (code >= 0x41 && code <= 0x5a) ||
      (code >= 0x30 && code <= 0x39) ||
      code === 0x5f ||
      code === dollar ||
      code >= 0x80 ||
      // `#` begins a comment in MySQL, and the name of a temporary table in SQL Server.
      (code === 0x23 && !this.#isMySql)
    )
  }

  #break(): void {
    this.#isBroken = true
    this.#at = this.#sql.length
  }

  #skipBlanks(): void {
    const sql = this.#sql
    for (;;) {
      const code = sql.charCodeAt(this.#at)
      if (code <= 0x20) this.#at += 1
      else if (code === 0x2d && this.#isDashComment()) this.#skipLine()
      else if (code === 0x23 && this.#isMySql) this.#skipLine()
      else if (code === 0x2f && sql.charCodeAt(this.#at + 1) === 0x2a) this.#skipComment()
      else if (code === 0x2a && this.#isMySql && sql.charCodeAt(this.#at + 1) === 0x2f) this.#at += 2
      else return
    }
  }

  /** In MySQL, a blank must follow the dashes. */
  #isDashComment(): boolean {
    if (this.#sql.charCodeAt(this.#at + 1) !== 0x2d) return false
    const following = this.#sql.charCodeAt(this.#at + 2)
    return !this.#isMySql || following <= 0x20 || Number.isNaN(following)
  }

  #skipLine(): void {
    const found = this.#sql.indexOf('\n', this.#at)
    this.#at = found < 0 ? this.#sql.length : found + 1
  }

  #skipComment(): void {
    const sql = this.#sql
    const executed = this.#isMySql ? /M?!\d{0,6}/y : null
    if (executed !== null) {
      // MySQL executes the content of such a comment. Skip only its beginning here; `#skipBlanks` skips its end.
      executed.lastIndex = this.#at + 2
      if (executed.test(sql)) {
        this.#at = executed.lastIndex
        return
      }
      const found = sql.indexOf('*/', this.#at + 2)
      if (found < 0) this.#break()
      else this.#at = found + 2
      return
    }
    // Other sources allow comments within comments.
    let depth = 0
    for (const mark = /\/\*|\*\//g; ; ) {
      mark.lastIndex = this.#at
      const found = mark.exec(sql)
      if (found === null) {
        this.#break()
        return
      }
      this.#at = mark.lastIndex
      depth += found[0] === '/*' ? 1 : -1
      if (depth === 0) return
    }
  }

  /** A doubled quote is one character of the name. */
  #quoted(quote: string): Token {
    const sql = this.#sql
    let name = ''
    let from = this.#at + 1
    for (;;) {
      const found = sql.indexOf(quote, from)
      if (found < 0) {
        this.#break()
        return end
      }
      name += sql.slice(from, found)
      if (sql[found + 1] !== quote) {
        this.#at = found + 1
        return { kind: 'quoted', text: name }
      }
      name += quote
      from = found + 2
    }
  }

  /** With ANSI_QUOTES, a text in double quotes is a name in MySQL, so its characters are kept. */
  #text(quote: number, hasEscapes: boolean): Token {
    const sql = this.#sql
    for (let at = this.#at + 1; at < sql.length; at++) {
      const code = sql.charCodeAt(at)
      if (code === 0x5c && hasEscapes) at += 1
      else if (code === quote && sql.charCodeAt(at + 1) === quote) at += 1
      else if (code === quote) {
        const inner = sql.slice(this.#at + 1, at)
        this.#at = at + 1
        return quote === singleQuote ? text : { kind: 'quoted', text: inner.replaceAll('""', '"') }
      }
    }
    this.#break()
    return end
  }

  /** `$$ … $$` or `$name$ … $name$`; null if the dollar sign begins neither. */
  #dollarText(): Token | null {
    const opening = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y
    opening.lastIndex = this.#at
    const tag = opening.exec(this.#sql)?.[0]
    if (tag === undefined) return null
    const found = this.#sql.indexOf(tag, opening.lastIndex)
    if (found < 0) {
      this.#break()
      return end
    }
    this.#at = found + tag.length
    return text
  }
}
