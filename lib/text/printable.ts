/**
 * Names, statements and messages come from the source database and the broker. They can contain characters that a terminal
 * obeys instead of showing: control characters, overrides of the writing direction, invisible characters, line separators.
 * Such characters could forge or hide lines of an answer that a person acts on.
 */
const obeyed = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** Most texts have only these characters, and this search is many times faster than the one above. */
const beyondAscii = /[^\x20-\x7e]/

/** The text in one line. Every character that a terminal obeys becomes an escape such as `\u001b`. */
export function printable(text: string): string {
  return beyondAscii.test(text) ? text.replace(obeyed, escaped) : text
}

/** The same for a text of several lines, which keeps its line breaks. */
export function printableLines(text: string): string {
  return text.replace(obeyed, (match) => (match === '\n' ? match : escaped(match)))
}

/** A value for a log line or an answer: all its texts and keys become printable. */
export function printableValue<Value>(value: Value): Value {
  return mapped(value) as Value
}

function mapped(value: unknown): unknown {
  if (typeof value === 'string') return printable(value)
  if (Array.isArray(value)) return value.map(mapped)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [printable(key), mapped(part)]))
}

/** The escapes of JSON, so that escaping JSON text does not change its values. */
function escaped(match: string): string {
  return match
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}
