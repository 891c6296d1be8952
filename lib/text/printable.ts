/**
 * Names, statements and messages come from the source database and the broker. What a terminal would obey instead of
 * showing it (control characters, marks that turn the direction of writing, invisible characters, line separators) could
 * forge or hide lines of an answer that a person acts on.
 */
const obeyed = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** The text in one line, with every character that a terminal obeys as its escape, such as `\u001b`. */
export function printable(text: string): string {
  return text.replace(obeyed, escaped)
}

/** The same for a text that has lines of its own: they stay. */
export function printableLines(text: string): string {
  return text.replace(obeyed, (match) => (match === '\n' ? match : escaped(match)))
}

/** A value for a log line or an answer, with all its texts and keys made printable. */
export function printableValue<Value>(value: Value): Value {
  return mapped(value) as Value
}

function mapped(value: unknown): unknown {
  if (typeof value === 'string') return printable(value)
  if (Array.isArray(value)) return value.map(mapped)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [printable(key), mapped(part)]))
}

/** As JSON writes them, so that escaping JSON text changes none of its values. */
function escaped(match: string): string {
  return match
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}
