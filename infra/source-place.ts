/** The number of the line of a handler file that first names a column or a table, counted from 1; 1 if none does. */
export function lineNaming(source: string, name: string): number {
  const quoted = name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const lines = source.split('\n')
  const declares = new RegExp(`^\\s*(?:${quoted}|['"\`]${quoted}['"\`])\\s*:|['"\`]${quoted}['"\`]`)
  const index = lines.findIndex((line) => declares.test(line))
  // A condition names a column inside a text.
  const named = index >= 0 ? index : lines.findIndex((line) => new RegExp(`\\b${quoted}\\b`).test(line))
  return named + 1 || 1
}
