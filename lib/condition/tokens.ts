import { DtsError } from '../errors.ts'
import { printable } from '../text/printable.ts'

/** `quoted` is a name in quotes, `hex` the digits of x'…'. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'text' | 'number' | 'hex' | 'symbol' | 'end'
  readonly text: string
  /** Index of its first character in the condition. */
  readonly at: number
}

const blanks = /\s*/y
const forms: readonly (readonly [Token['kind'], RegExp])[] = [
  ['hex', /[xX]'((?:[0-9a-fA-F]{2})*)'/y],
  ['number', /([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?![\w$.])/y],
  ['word', /([\p{L}_][\p{L}\p{N}_$]*)/uy],
  ['text', /'((?:[^']|'')*)'/y],
  ['quoted', /"((?:[^"]|"")+)"/y],
  ['quoted', /`((?:[^`]|``)+)`/y],
  ['symbol', /(<>|!=|<=|>=|[=<>(),.])/y],
]

/** The tokens of a condition. */
export class ConditionTokens {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** @throws DtsError CONDITION_INVALID */
  next(): Token {
    blanks.lastIndex = this.#at
    blanks.exec(this.#text)
    const at = blanks.lastIndex
    if (at === this.#text.length) return { kind: 'end', text: '', at }
    for (const [kind, form] of forms) {
      form.lastIndex = at
      const found = form.exec(this.#text)
      if (found === null) continue
      this.#at = form.lastIndex
      const [whole = '', inner = ''] = found
      const quote = whole.at(-1) ?? ''
      const isQuoted = kind === 'text' || kind === 'quoted'
      return { kind, text: isQuoted ? inner.replaceAll(quote + quote, quote) : inner, at }
    }
    const rest = this.#text.slice(at)
    throw this.fail({ at }, /^['"`]/.test(rest) ? 'a quote without its end' : `${rest[0]} is unknown here`)
  }

  fail({ at }: { readonly at: number }, reason: string): DtsError {
    const before = printable(this.#text.slice(0, at))
    return new DtsError(
      'CONDITION_INVALID',
      `The condition cannot be read at character ${at + 1}: ${reason}.\n  ${printable(this.#text)}\n  ${' '.repeat(before.length)}^`,
      { retryable: false, facts: { at } },
    )
  }
}
