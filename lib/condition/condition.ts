import { sameValue } from '../dts/row-change.ts'
import type { DtsError } from '../errors.ts'
import { type Comparator, compare, type Literal, like, likePattern, type Operand } from './compare.ts'
import { ConditionTokens, type Token } from './tokens.ts'

/**
 * A condition on the row of a change, such as `status = 'paid' and total > 100`.
 *
 *   condition: and-part { OR and-part }          and-part: not-part { AND not-part }
 *   not-part:  [NOT] ( '(' condition ')' | changed '(' column ')' | predicate )
 *   predicate: operand ( = | <> | != | < | <= | > | >= ) operand
 *            | operand IS [NOT] NULL             | operand [NOT] BETWEEN operand AND operand
 *            | operand [NOT] IN '(' operand { , operand } ')'
 *            | operand [NOT] LIKE 'text'         with % for any text, _ for one character, \ before a literal one
 *   operand:   column | before.column | after.column | number | 'text' | x'hex' | true | false | null
 *
 * A name in `"` or a backquote may contain any character. As in SQL, a comparison with NULL is neither true nor false, and a
 * change is selected only if the condition is true.
 */
export interface Condition {
  /** The columns that it reads. */
  readonly columns: readonly string[]
  /**
   * @param row the image that a column without `before.` or `after.` is read from
   * @throws DtsError CONDITION_INVALID if a value has a type that cannot be compared
   */
  matches(images: Images, row?: ImageRow | null): boolean
}

/** The two row images of a change. A change without one of them has null there. */
export interface Images {
  readonly before: ImageRow | null
  readonly after: ImageRow | null
}

export type ImageRow = { readonly [column: string]: Operand }

/** `row` is one of the images. */
interface Judged extends Images {
  readonly row: ImageRow | null
}

/** True, false, or null for unknown. */
type Verdict = boolean | null
type Test = (judged: Judged) => Verdict
type Value = (judged: Judged) => Operand | Literal | undefined

/** Deeper conditions are refused: each level is a level of the parser's stack. */
const mostLevels = 100

const isEqual: Comparator = (order) => order === 0
const atLeast: Comparator = (order) => order >= 0
const atMost: Comparator = (order) => order <= 0

const comparators: Readonly<Record<string, Comparator>> = {
  '=': isEqual,
  '<>': (order) => order !== 0,
  '!=': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': atMost,
  '>': (order) => order > 0,
  '>=': atLeast,
}

/** @throws DtsError CONDITION_INVALID, with the place of the mistake */
export function parseCondition(text: string): Condition {
  const parser = new Parser(text)
  const test = parser.whole()
  return {
    columns: [...parser.columns],
    matches({ before, after }, row = after ?? before) {
      return test({ before, after, row }) === true
    },
  }
}

class Parser {
  readonly columns = new Set<string>()
  readonly #tokens: ConditionTokens
  #token: Token
  #level = 0

  constructor(text: string) {
    this.#tokens = new ConditionTokens(text)
    this.#token = this.#tokens.next()
  }

  whole(): Test {
    const test = this.#either()
    if (this.#token.kind !== 'end') throw this.#expected('AND, OR or the end')
    return test
  }

  #either(): Test {
    if (++this.#level > mostLevels) throw this.#tokens.fail(this.#token, `more than ${mostLevels} levels`)
    let left = this.#both()
    while (this.#takeWord('or')) left = or(left, this.#both())
    this.#level -= 1
    return left
  }

  #both(): Test {
    let left = this.#maybeNot()
    while (this.#takeWord('and')) left = and(left, this.#maybeNot())
    return left
  }

  #maybeNot(): Test {
    let isNegated = false
    while (this.#takeWord('not')) isNegated = !isNegated
    const test = this.#single()
    return isNegated ? not(test) : test
  }

  #single(): Test {
    if (this.#takeSymbol('(')) {
      const test = this.#either()
      this.#needSymbol(')')
      return test
    }
    const start = this.#token
    const known = this.columns.has(start.text)
    const left = this.#operand()
    // `changed` is a function only if a parenthesis follows, so that a column may have that name.
    if (start.kind === 'word' && start.text.toLowerCase() === 'changed' && this.#takeSymbol('(')) {
      if (!known) this.columns.delete(start.text)
      const column = this.#columnName()
      this.#needSymbol(')')
      return ({ before, after }) => isChanged(before, after, column)
    }
    return this.#predicate(left)
  }

  #predicate(left: Value): Test {
    const { kind, text } = this.#token
    const comparator = kind === 'symbol' ? comparators[text] : undefined
    if (comparator !== undefined) {
      this.#advance()
      return comparison(left, comparator, this.#operand())
    }
    if (this.#takeWord('is')) {
      const isNegated = this.#takeWord('not')
      if (!this.#takeWord('null')) throw this.#expected('NULL')
      // A column that the image does not have is unknown, and so neither null nor not null.
      return (judged) => {
        const value = left(judged)
        return value === undefined ? null : (value === null) !== isNegated
      }
    }
    const isNegated = this.#takeWord('not')
    const test = this.#range(left)
    return isNegated ? not(test) : test
  }

  #range(left: Value): Test {
    if (this.#takeWord('between')) {
      const low = this.#operand()
      if (!this.#takeWord('and')) throw this.#expected('AND')
      const high = this.#operand()
      return and(comparison(left, atLeast, low), comparison(left, atMost, high))
    }
    if (this.#takeWord('in')) {
      this.#needSymbol('(')
      let test = comparison(left, isEqual, this.#operand())
      while (this.#takeSymbol(',')) test = or(test, comparison(left, isEqual, this.#operand()))
      this.#needSymbol(')')
      return test
    }
    if (this.#takeWord('like')) {
      if (this.#token.kind !== 'text') throw this.#expected("a text such as 'a%'")
      const pattern = likePattern(this.#token.text)
      this.#advance()
      return (judged) => like(left(judged), pattern)
    }
    throw this.#expected('a comparison (=, <>, <, <=, >, >=, IS, IN, LIKE, BETWEEN)')
  }

  #operand(): Value {
    const token = this.#token
    if (token.kind === 'text' || token.kind === 'number' || token.kind === 'hex') {
      this.#advance()
      const literal: Literal | Buffer =
        token.kind === 'hex' ? Buffer.from(token.text, 'hex') : { kind: token.kind, text: token.text }
      return () => literal
    }
    if (token.kind === 'word') {
      const constant = constants[token.text.toLowerCase()]
      if (constant !== undefined) {
        this.#advance()
        return () => constant.value
      }
    }
    return this.#column()
  }

  #column(): Value {
    const first = this.#token
    const name = this.#name()
    const image = first.kind === 'word' ? name.toLowerCase() : ''
    if ((image === 'before' || image === 'after') && this.#takeSymbol('.')) {
      const column = this.#columnName()
      return (judged) => judged[image]?.[column]
    }
    this.columns.add(name)
    return ({ row }) => row?.[name]
  }

  #columnName(): string {
    const name = this.#name()
    this.columns.add(name)
    return name
  }

  #name(): string {
    const { kind, text } = this.#token
    const isReserved = kind === 'word' && reserved.has(text.toLowerCase())
    if ((kind !== 'word' && kind !== 'quoted') || isReserved) throw this.#expected('a column or a value')
    this.#advance()
    return text
  }

  #takeWord(word: string): boolean {
    const { kind, text } = this.#token
    const isIt = kind === 'word' && text.toLowerCase() === word
    if (isIt) this.#advance()
    return isIt
  }

  #takeSymbol(symbol: string): boolean {
    const isIt = this.#token.kind === 'symbol' && this.#token.text === symbol
    if (isIt) this.#advance()
    return isIt
  }

  #needSymbol(symbol: string): void {
    if (!this.#takeSymbol(symbol)) throw this.#expected(symbol)
  }

  #advance(): void {
    this.#token = this.#tokens.next()
  }

  #expected(what: string): DtsError {
    const { kind, text } = this.#token
    return this.#tokens.fail(this.#token, `expected ${what}, not ${kind === 'end' ? 'the end' : text}`)
  }
}

const constants: Readonly<Record<string, { readonly value: boolean | null }>> = Object.assign(
  Object.create(null),
  { true: { value: true }, false: { value: false }, null: { value: null } },
)
const reserved: ReadonlySet<string> = new Set(['and', 'or', 'not', 'is', 'in', 'like', 'between', 'null'])

function comparison(left: Value, comparator: Comparator, right: Value): Test {
  return (judged) => {
    const order = compare(left(judged), right(judged))
    return order === null ? null : comparator(order)
  }
}

function and(left: Test, right: Test): Test {
  return (judged) => {
    const first = left(judged)
    if (first === false) return false
    const second = right(judged)
    return second === false ? false : first === null ? null : second
  }
}

function or(left: Test, right: Test): Test {
  return (judged) => {
    const first = left(judged)
    if (first === true) return true
    const second = right(judged)
    return second === true ? true : first === null ? null : second
  }
}

function not(test: Test): Test {
  return (judged) => {
    const verdict = test(judged)
    return verdict === null ? null : !verdict
  }
}

/** Only an update changes a column. An image may lack columns that the source does not log. */
function isChanged(before: ImageRow | null, after: ImageRow | null, column: string): Verdict {
  if (before === null || after === null) return false
  const old = before[column]
  const now = after[column]
  return now !== undefined && !sameValue(old, now)
}
