/** Longest list, in characters. A message is cut at its own limit, and its end names the next step. */
const maxList = 600
const maxName = 64

/** Names that come from the stream, such as a table's columns, as one short text. */
export function listNames(names: readonly string[]): string {
  const fitting: string[] = []
  let left = maxList
  for (const name of names) {
    const shown = name.slice(0, maxName).replace(/\p{Cc}/gu, '?')
    left -= shown.length + 2
    if (left < 0) break
    fitting.push(shown)
  }
  const more = fitting.length < names.length ? ` and ${names.length - fitting.length} more` : ''
  return `${fitting.join(', ')}${more}`
}
