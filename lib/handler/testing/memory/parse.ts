import { reservedWords } from './reserved-words.ts'

/** DynamoDB's languages of conditions and updates, as trees. */

export type Path = readonly [name: string, ...steps: (string | number)[]]

export type Operand =
  | { readonly kind: 'path'; readonly path: Path }
  | { readonly kind: 'value'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly arguments: readonly Operand[] }
  | { readonly kind: 'sum'; readonly sign: 1 | -1; readonly left: Operand; readonly right: Operand }

export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>='

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly kind: 'not'; readonly of: Condition }
  | {
      readonly kind: 'compare'
      readonly comparison: Comparison
      readonly left: Operand
      readonly right: Operand
    }
  | { readonly kind: 'in'; readonly operand: Operand; readonly list: readonly Operand[] }
  | { readonly kind: 'call'; readonly name: string; readonly arguments: readonly Operand[] }

export interface Update {
  readonly set: readonly { readonly path: Path; readonly operand: Operand }[]
  readonly remove: readonly Path[]
  readonly add: readonly { readonly path: Path; readonly operand: Operand }[]
  readonly delete: readonly { readonly path: Path; readonly operand: Operand }[]
}

/** Every path that an update writes. */
export function pathsOf({ set, add, delete: less, remove }: Update): readonly Path[] {
  return [...[...set, ...add, ...less].map(({ path }) => path), ...remove]
}

const token = /\s*(#\w+|:\w+|\w+|<>|<=|>=|[()[\],.=<>+-])/y

/** Reads one expression from left to right. @throws SyntaxError */
class Reader {
  readonly #tokens: string[] = []
  readonly #names: Readonly<Record<string, string>>
  readonly #source: string
  #at = 0

  constructor(source: string, names: Readonly<Record<string, string>>) {
    this.#source = source
    this.#names = names
    for (token.lastIndex = 0; source.slice(token.lastIndex).trim() !== ''; ) {
      const from = token.lastIndex
      const found = token.exec(source)?.[1]
      if (found === undefined) throw new SyntaxError(`${source.slice(from)} in the expression ${source}`)
      this.#tokens.push(found)
    }
  }

  get isAtEnd(): boolean {
    return this.#at === this.#tokens.length
  }

  /** The next word in capitals, if it is one of these. */
  keyword(...words: readonly string[]): string | null {
    const next = this.#tokens[this.#at]?.toUpperCase() ?? ''
    if (!words.includes(next)) return null
    this.#at += 1
    return next
  }

  expect(word: string): void {
    if (this.keyword(word) === null) throw this.#unexpected(`"${word}" is missing`)
  }

  end(): void {
    if (!this.isAtEnd) throw this.#unexpected('it should end')
  }

  list<Part>(part: () => Part): Part[] {
    const parts = [part()]
    while (this.keyword(',') !== null) parts.push(part())
    return parts
  }

  path(): Path {
    const steps: (string | number)[] = []
    const first = this.#name()
    for (;;) {
      if (this.keyword('.') !== null) steps.push(this.#name())
      else if (this.keyword('[') !== null) {
        steps.push(Number(this.#take(/^\d+$/)))
        this.expect(']')
      } else return [first, ...steps]
    }
  }

  operand(): Operand {
    const next = this.#tokens[this.#at] ?? ''
    if (next.startsWith(':')) {
      this.#at += 1
      return { kind: 'value', name: next }
    }
    if (this.#tokens[this.#at + 1] === '(') return this.call()
    return { kind: 'path', path: this.path() }
  }

  call(): { readonly kind: 'call'; readonly name: string; readonly arguments: readonly Operand[] } {
    const name = this.#take(/^[a-z_]+$/)
    this.expect('(')
    const given = this.list(() => this.operand())
    this.expect(')')
    return { kind: 'call', name, arguments: given }
  }

  #name(): string {
    const word = this.#take(/^#?\w+$/)
    if (!word.startsWith('#')) {
      if (!reservedWords.has(word.toUpperCase())) return word
      throw new SyntaxError(
        `${word} is a reserved word: write #${word}, and name it in ExpressionAttributeNames`,
      )
    }
    const name = Object.hasOwn(this.#names, word) ? this.#names[word] : undefined
    if (name === undefined) throw new SyntaxError(`${word} is not in ExpressionAttributeNames`)
    return name
  }

  #take(shape: RegExp): string {
    const next = this.#tokens[this.#at]
    if (next === undefined || !shape.test(next)) throw this.#unexpected('something else should be there')
    this.#at += 1
    return next
  }

  #unexpected(what: string): SyntaxError {
    return new SyntaxError(`${what} at "${this.#tokens[this.#at] ?? ''}" in the expression ${this.#source}`)
  }
}

const comparisons = ['=', '<>', '<=', '>=', '<', '>'] as const

export function parseCondition(source: string, names: Readonly<Record<string, string>> = {}): Condition {
  const reader = new Reader(source, names)
  const condition = either(reader)
  reader.end()
  return condition
}

function either(reader: Reader): Condition {
  let left = both(reader)
  while (reader.keyword('OR') !== null) left = { kind: 'or', left, right: both(reader) }
  return left
}

function both(reader: Reader): Condition {
  let left = single(reader)
  while (reader.keyword('AND') !== null) left = { kind: 'and', left, right: single(reader) }
  return left
}

function single(reader: Reader): Condition {
  if (reader.keyword('NOT') !== null) return { kind: 'not', of: single(reader) }
  if (reader.keyword('(') !== null) {
    const inner = either(reader)
    reader.expect(')')
    return inner
  }
  const left = reader.operand()
  const found = reader.keyword(...comparisons, 'BETWEEN', 'IN')
  if (found === 'BETWEEN') return between(reader, left)
  if (found === 'IN') {
    reader.expect('(')
    const list = reader.list(() => reader.operand())
    reader.expect(')')
    return { kind: 'in', operand: left, list }
  }
  const comparison = comparisons.find((known) => known === found)
  if (comparison !== undefined) return { kind: 'compare', comparison, left, right: reader.operand() }
  if (left.kind === 'call') return left
  throw new SyntaxError('a comparison is missing in a condition')
}

function between(reader: Reader, operand: Operand): Condition {
  const lowest = reader.operand()
  reader.expect('AND')
  const highest = reader.operand()
  return {
    kind: 'and',
    left: { kind: 'compare', comparison: '>=', left: operand, right: lowest },
    right: { kind: 'compare', comparison: '<=', left: operand, right: highest },
  }
}

export function parseUpdate(source: string, names: Readonly<Record<string, string>> = {}): Update {
  const reader = new Reader(source, names)
  const update = {
    set: [] as { path: Path; operand: Operand }[],
    remove: [] as Path[],
    add: [] as { path: Path; operand: Operand }[],
    delete: [] as { path: Path; operand: Operand }[],
  }
  const change = () => ({ path: reader.path(), operand: reader.operand() })
  while (!reader.isAtEnd) {
    const clause = reader.keyword('SET', 'REMOVE', 'ADD', 'DELETE')
    if (clause === 'SET') update.set.push(...reader.list(() => assignment(reader)))
    else if (clause === 'REMOVE') update.remove.push(...reader.list(() => reader.path()))
    else if (clause === 'ADD') update.add.push(...reader.list(change))
    else if (clause === 'DELETE') update.delete.push(...reader.list(change))
    else throw new SyntaxError(`SET, REMOVE, ADD or DELETE is missing in the expression ${source}`)
  }
  return update
}

function assignment(reader: Reader): { path: Path; operand: Operand } {
  const path = reader.path()
  reader.expect('=')
  const left = reader.operand()
  const sign = reader.keyword('+', '-')
  if (sign === null) return { path, operand: left }
  return { path, operand: { kind: 'sum', sign: sign === '+' ? 1 : -1, left, right: reader.operand() } }
}
