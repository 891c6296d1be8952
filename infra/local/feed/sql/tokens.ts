import { FeedFault } from '../encode-change.ts'

/** A part of a script. */
export type Token = { readonly line: number } & (
  | { readonly kind: 'word'; readonly text: string }
  /** A name in backticks, which is never a keyword. */
  | { readonly kind: 'quoted'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  /** One of `( ) , ; . =` */
  | { readonly kind: 'sign'; readonly text: string }
)

/** Each begins where the last one ended. */
const space = /(?:\s+|--[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/)+/y
const forms: readonly (readonly [RegExp, (text: string, line: number) => Token])[] = [
  [
    /x'(?:[0-9a-f]{2})*'/iy,
    (text, line) => ({ kind: 'bytes', line, bytes: Buffer.from(text.slice(2, -1), 'hex') }),
  ],
  [/[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w$])/iy, (text, line) => ({ kind: 'number', line, text })],
  [/[A-Za-z_\u0080-\uffff$][\w\u0080-\uffff$]*/y, (text, line) => ({ kind: 'word', line, text })],
  [
    /`(?:[^`]|``)+`/y,
    (text, line) => ({ kind: 'quoted', line, text: text.slice(1, -1).replaceAll('``', '`') }),
  ],
  [
    /'(?:[^'\\]|\\[\s\S]|'')*'/y,
    (text, line) => ({ kind: 'string', line, text: unescaped(text.slice(1, -1)) }),
  ],
  [/[(),;.=]/y, (text, line) => ({ kind: 'sign', line, text })],
]

/**
 * What MySQL makes of a backslash with one of these. Any other character means itself. The last two keep their backslash, because
 * they are meant for LIKE.
 */
const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  0: '\0',
  Z: '\x1a',
  '%': '\\%',
  _: '\\_',
}

function unescaped(text: string): string {
  return text.replace(/''|\\([\s\S])/g, (_, escaped: string | undefined) =>
    escaped === undefined ? "'" : (escapes[escaped] ?? escaped),
  )
}

/** A part that is none: the rest of its statement cannot be read. */
export interface Unreadable {
  readonly kind: 'unreadable'
  readonly line: number
  readonly fault: FeedFault
}

/** The statements of a script, each as its parts without the semicolon. */
export function splitStatements(text: string): (readonly (Token | Unreadable)[])[] {
  const statements: (Token | Unreadable)[][] = []
  let current: (Token | Unreadable)[] = []
  let at = 0
  let line = 1
  const take = (form: RegExp): string | null => {
    form.lastIndex = at
    const [found] = form.exec(text) ?? []
    return found ?? null
  }
  const pass = (found: string) => {
    at += found.length
    line += found.split('\n').length - 1
  }
  while (at < text.length) {
    const blank = take(space)
    if (blank !== null) {
      pass(blank)
      continue
    }
    const token = readToken(take, line)
    if (token === null) {
      current.push({ kind: 'unreadable', line, fault: new FeedFault(reasonAt(text.charAt(at))) })
      pass(restOfStatement(text.slice(at)))
      continue
    }
    pass(token.found)
    if (token.token.kind === 'sign' && token.token.text === ';') {
      if (current.length > 0) statements.push(current)
      current = []
    } else current.push(token.token)
  }
  return current.length > 0 ? [...statements, current] : statements
}

function readToken(take: (form: RegExp) => string | null, line: number) {
  for (const [form, make] of forms) {
    const found = take(form)
    if (found !== null) return { found, token: make(found, line) }
  }
  return null
}

function restOfStatement(text: string): string {
  const end = text.indexOf(';', 1)
  return end < 0 ? text : text.slice(0, end)
}

function reasonAt(character: string): string {
  if (character === "'" || character === '`') return `a ${character} has no end`
  if (character === '"') return "a text is written in single quotes: 'text'"
  return `a script has no character ${JSON.stringify(character)} here`
}
