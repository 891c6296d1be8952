/**
 * The statements that a script can have. Anything else is refused.
 *
 *   script      = { statement ";" }
 *   statement   = BEGIN | START TRANSACTION | COMMIT | create | insert | update | delete
 *   create      = CREATE TABLE table "(" column type { "," column type } "," PRIMARY KEY "(" names ")" ")"
 *   insert      = INSERT INTO table "(" names ")" VALUES row { "," row }
 *   update      = UPDATE table SET name "=" value { "," name "=" value } WHERE condition
 *   delete      = DELETE FROM table WHERE condition
 *   condition   = name "=" value { AND name "=" value }
 *   table       = name "." name
 *   row         = "(" value { "," value } ")"
 *   value       = number | 'text' | x'hex' | NULL | TRUE | FALSE
 *   type        = word [ "(" number { "," number } ")" ] [ NOT NULL ]
 */
import { FeedFault } from '../encode-change.ts'
import type { Token, Unreadable } from './tokens.ts'

/** A number keeps its digits until the type of its column is known. */
export type Value = string | Buffer | null | { readonly number: string }
export type Values = ReadonlyMap<string, Value>

export type Statement =
  | { readonly kind: 'begin' }
  | { readonly kind: 'commit' }
  | {
      readonly kind: 'create'
      readonly table: string
      readonly types: ReadonlyMap<string, string>
      readonly keys: readonly string[]
    }
  | { readonly kind: 'insert'; readonly table: string; readonly rows: readonly Values[] }
  | { readonly kind: 'update'; readonly table: string; readonly set: Values; readonly where: Values }
  | { readonly kind: 'delete'; readonly table: string; readonly where: Values }

/** @throws FeedFault for anything that is not one of the statements */
export function parseStatement(tokens: readonly (Token | Unreadable)[]): Statement {
  const parser = new Parser(tokens)
  const statement = parser.statement()
  parser.end()
  return statement
}

class Parser {
  readonly #tokens: readonly (Token | Unreadable)[]
  #at = 0

  constructor(tokens: readonly (Token | Unreadable)[]) {
    this.#tokens = tokens
  }

  statement(): Statement {
    if (this.#word('BEGIN')) return { kind: 'begin' }
    if (this.#word('COMMIT')) return { kind: 'commit' }
    if (this.#word('START')) {
      this.#require('TRANSACTION')
      return { kind: 'begin' }
    }
    if (this.#word('CREATE')) return this.#create()
    if (this.#word('INSERT')) return this.#insert()
    if (this.#word('UPDATE')) {
      const table = this.#table()
      this.#require('SET')
      const set = this.#assignments(() => this.#sign(','))
      this.#require('WHERE')
      return { kind: 'update', table, set, where: this.#assignments(() => this.#word('AND')) }
    }
    if (this.#word('DELETE')) {
      this.#require('FROM')
      const table = this.#table()
      this.#require('WHERE')
      return { kind: 'delete', table, where: this.#assignments(() => this.#word('AND')) }
    }
    throw this.#unexpected('INSERT, UPDATE, DELETE, CREATE TABLE, BEGIN or COMMIT')
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw this.#unexpected('the end of the statement')
  }

  #create(): Statement {
    this.#require('TABLE')
    const table = this.#table()
    const types = new Map<string, string>()
    this.#requireSign('(')
    for (;;) {
      if (this.#word('PRIMARY')) {
        this.#require('KEY')
        const keys = this.#names()
        this.#requireSign(')')
        const missing = keys.find((name) => !types.has(name))
        if (missing !== undefined)
          throw new FeedFault(`the key names ${missing}, which is no column of ${table}`)
        return { kind: 'create', table, types, keys }
      }
      const name = this.#name()
      types.set(name, this.#type())
      if (!this.#sign(',')) throw this.#unexpected(', and then PRIMARY KEY (…)')
    }
  }

  #type(): string {
    const type = this.#name()
    if (this.#sign('(')) {
      do this.#value()
      while (this.#sign(','))
      this.#requireSign(')')
    }
    if (this.#word('NOT')) this.#require('NULL')
    return type
  }

  #insert(): Statement {
    this.#require('INTO')
    const table = this.#table()
    const names = this.#names()
    this.#require('VALUES')
    const rows: Values[] = []
    do {
      this.#requireSign('(')
      const values: Value[] = []
      do values.push(this.#value())
      while (this.#sign(','))
      this.#requireSign(')')
      if (values.length !== names.length)
        throw new FeedFault(`a row has ${values.length} values for ${names.length} columns`)
      rows.push(new Map(names.map((name, index) => [name, values[index] ?? null])))
    } while (this.#sign(','))
    return { kind: 'insert', table, rows }
  }

  #assignments(hasMore: () => boolean): Values {
    const values = new Map<string, Value>()
    do {
      const name = this.#name()
      this.#requireSign('=')
      if (values.has(name)) throw new FeedFault(`${name} is named twice`)
      values.set(name, this.#value())
    } while (hasMore())
    return values
  }

  #names(): string[] {
    this.#requireSign('(')
    const names: string[] = []
    do names.push(this.#name())
    while (this.#sign(','))
    this.#requireSign(')')
    if (new Set(names).size < names.length) throw new FeedFault('a column is named twice')
    return names
  }

  #table(): string {
    const database = this.#name()
    if (!this.#sign('.')) throw new FeedFault(`a table is named with its database, such as shop.${database}`)
    return `${database}.${this.#name()}`
  }

  #name(): string {
    const token = this.#next()
    if (token?.kind === 'word' || token?.kind === 'quoted') {
      this.#at += 1
      return token.text
    }
    throw this.#unexpected('a name')
  }

  #value(): Value {
    const token = this.#next()
    this.#at += 1
    switch (token?.kind) {
      case 'string':
        return token.text
      case 'bytes':
        return token.bytes
      case 'number':
        return { number: token.text }
      case 'word': {
        const word = token.text.toUpperCase()
        if (word === 'NULL') return null
        if (word === 'TRUE' || word === 'FALSE') return { number: word === 'TRUE' ? '1' : '0' }
      }
    }
    this.#at -= 1
    throw this.#unexpected("a value: a number, 'text', x'hex', NULL, TRUE or FALSE")
  }

  #word(keyword: string): boolean {
    const token = this.#next()
    const isIt = token?.kind === 'word' && token.text.toUpperCase() === keyword
    if (isIt) this.#at += 1
    return isIt
  }

  #require(keyword: string): void {
    if (!this.#word(keyword)) throw this.#unexpected(keyword)
  }

  #sign(text: string): boolean {
    const token = this.#next()
    const isIt = token?.kind === 'sign' && token.text === text
    if (isIt) this.#at += 1
    return isIt
  }

  #requireSign(text: string): void {
    if (!this.#sign(text)) throw this.#unexpected(text)
  }

  #next(): Token | undefined {
    const token = this.#tokens[this.#at]
    if (token?.kind === 'unreadable') throw token.fault
    return token
  }

  /** Names keywords and signs of the script, but no values. */
  #unexpected(expected: string): FeedFault {
    const token = this.#next()
    if (token === undefined) return new FeedFault(`the statement ends where it needs ${expected}`)
    const isShown = token.kind === 'word' || token.kind === 'sign'
    return new FeedFault(`it has ${isShown ? token.text : `a ${token.kind}`} where it needs ${expected}`)
  }
}
