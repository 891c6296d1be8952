/** The place of a piece of code in a source file: its first character, and the first one after it. */
export interface Place {
  readonly from: number
  readonly to: number
}

interface Token {
  /** The text that is compared. For a string this is the content without the kind of quotes. */
  readonly text: string
  readonly from: number
  readonly to: number
}

/**
 * Finds the one place of a piece of code in a source. It compares tokens, not characters. Blanks, line breaks, comments,
 * kinds of quotes, semicolons and trailing commas do not count, so a formatter cannot hide the place.
 * @param within the beginning of the function, class or block to search, such as `async acquire(`; null: the whole source
 * @throws RangeError when the source does not hold the code, or the beginning of the block, exactly once
 */
export function findPlace(source: string, code: string, within: string | null = null): Place {
  const tokens = tokensOf(source)
  const wanted = tokensOf(code)
  if (wanted.length === 0) throw new RangeError('there is no code to look for')
  const [begin, end] = within === null ? [0, tokens.length] : blockOf(tokens, tokensOf(within), within)
  const at = begin + only(tokens.slice(begin, end), wanted, code)
  const last = tokens[at + wanted.length - 1] as Token
  // The separator after the code belongs to the place only if `code` ends with one.
  const after = /[,;]\s*$/.exec(code) === null ? null : /^\s*[,;]/.exec(source.slice(last.to))
  return { from: (tokens[at] as Token).from, to: last.to + (after?.[0].length ?? 0) }
}

/** The first token of the block that begins with `head`, and the first token after its closing brace. */
function blockOf(tokens: readonly Token[], head: readonly Token[], text: string): [number, number] {
  const begin = only(tokens, head, text)
  let depth = 0
  for (let at = begin; at < tokens.length; at++) {
    const token = (tokens[at] as Token).text
    if ('([{'.includes(token)) depth += 1
    if (!')]}'.includes(token)) continue
    depth -= 1
    // The type of a result may have braces of its own; then a brace or an operator follows.
    if (depth < 0 || (depth === 0 && token === '}' && !/^[{[<>|&,)]$/.test(tokens[at + 1]?.text ?? '')))
      return [begin, at + 1]
  }
  throw new RangeError(`the block that begins with ${text} has no end`)
}

function only(tokens: readonly Token[], wanted: readonly Token[], text: string): number {
  const found = tokens.flatMap((_, at) =>
    wanted.every((token, index) => tokens[at + index]?.text === token.text) ? [at] : [],
  )
  const [first] = found
  if (first === undefined || found.length > 1) throw new RangeError(`there ${found.length} times: ${text}`)
  return first
}

/** In this order: blanks and comments; strings; numbers and names; any other single character. */
const lexer = /(\s+|\/\/[^\n]*|\/\*.*?\*\/)|('(?:\\.|[^\\'])*'|"(?:\\.|[^\\"])*")|[#\w$\u0080-\uFFFF]+|./gsy
/** After one of these a slash begins a regular expression. */
const beforeExpression = /^([(,=:[!&|?{};+\-*%~^<>]|return|case|typeof)$/
const expression = /\/(?:\\.|\[(?:\\.|[^\\\]\n])*\]|[^\\/[\n])+\/\w*/y

function tokensOf(source: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  const push = (text: string, length: number): void => {
    tokens.push({ text, from: at, to: at + length })
    at += length
  }
  while (at < source.length) {
    const previous = tokens.at(-1)?.text
    expression.lastIndex = lexer.lastIndex = at
    const [whole = '', blank, quoted] = lexer.exec(source) ?? []
    if (blank !== undefined) at += whole.length
    else if (quoted !== undefined) push(`"${contentOf(quoted)}"`, whole.length)
    else if (whole === '`') push(source.slice(at, endOfTemplate(source, at)), endOfTemplate(source, at) - at)
    else if (whole === '/' && (previous === undefined || beforeExpression.test(previous))) {
      const [literal = whole] = expression.exec(source) ?? []
      push(literal, literal.length)
    } else push(whole, whole.length)
  }
  // A formatter adds and removes separators before a closing bracket and at the end.
  return tokens.filter(
    ({ text }, index) => text !== ';' && (text !== ',' || !/^[)\]}]$/.test(tokens[index + 1]?.text ?? ')')),
  )
}

/** Which characters are escaped depends on the quotes. */
function contentOf(quoted: string): string {
  return quoted.slice(1, -1).replace(/\\(['"])/g, '$1')
}

/** @param at of the opening backtick */
function endOfTemplate(source: string, at: number): number {
  let depth = 0
  for (let index = at + 1; index < source.length; index++) {
    const character = source[index]
    if (character === '\\') index += 1
    else if (character === '`' && depth === 0) return index + 1
    else if (character === '`') index = endOfTemplate(source, index) - 1
    else if (character === '$' && source[index + 1] === '{') {
      depth += 1
      index += 1
    } else if (character === '{' && depth > 0) depth += 1
    else if (character === '}' && depth > 0) depth -= 1
  }
  return source.length
}
