import { readFileSync } from 'node:fs'
import { readArguments, UsageError } from '../../operate/report.ts'

export const usage = `npm run feed -- shop.orders '{"id":7,"status":"new"}'
npm run feed -- shop.orders '{"id":7,"status":"paid"}' --operation update --before '{"id":7,"status":"new"}'
npm run feed -- shop.orders '{"id":7,"status":"paid"}' --operation delete
npm run feed -- --file orders.jsonl
npm run feed -- --file orders.sql

Sends changes to the local stack that npm start runs in this folder.

  --operation  insert (the usual one), update, delete, init
  --before     the row before an update; without it, the change has no before image
  --columns    types of columns, such as '{"id":"bigint"}'
  --file       a file with a change on each line, as npm run tail -- --format json prints them; or a script (docs/local.md)`

/** Lines of changes, and what their faults are reported for. */
export interface FeedCall {
  readonly text: string
  /** Null for a single change, which has no line. */
  readonly file: string | null
}

const operations: readonly string[] = ['INSERT', 'INIT', 'UPDATE', 'DELETE']

/** @returns null if a person asks for the usage text. @throws UsageError */
export function feedCall(argv: readonly string[]): FeedCall | null {
  const { values, positionals } = readArguments({
    args: [...argv],
    allowPositionals: true,
    options: {
      operation: { type: 'string' },
      before: { type: 'string' },
      columns: { type: 'string' },
      file: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) return null
  const { file, ...single } = values
  if (file !== undefined) {
    if (positionals.length > 0 || Object.keys(single).length > 0)
      throw new UsageError('--file takes no other argument.')
    return { file, text: readText(file) }
  }
  const [table, row, ...more] = positionals
  if (table === undefined || row === undefined || more.length > 0)
    throw new UsageError('A table and a row are needed, such as: shop.orders \'{"id":7}\'')
  return { file: null, text: lineOf(table, row, single) }
}

function lineOf(
  table: string,
  row: string,
  { operation: given = 'insert', before, columns }: { operation?: string; before?: string; columns?: string },
): string {
  const operation = given.toUpperCase()
  if (!operations.includes(operation))
    throw new UsageError(`--operation is insert, update, delete or init, not ${given}.`)
  if (before !== undefined && operation !== 'UPDATE')
    throw new UsageError('--before belongs to --operation update.')
  const members = [`"operation":${JSON.stringify(operation)}`, `"table":${JSON.stringify(table)}`]
  if (operation === 'UPDATE') members.push(`"before":${jsonOf('--before', before ?? '{}')}`)
  members.push(`"${operation === 'DELETE' ? 'before' : 'after'}":${jsonOf('The row', row)}`)
  if (columns !== undefined) members.push(`"columns":${jsonOf('--columns', columns)}`)
  return `{${members.join(',')}}`
}

/** The text itself, because JSON.parse would round large numbers. */
function jsonOf(what: string, text: string): string {
  try {
    JSON.parse(text)
  } catch {
    throw new UsageError(`${what} is not JSON. Put it in single quotes: '{"id":7}'`)
  }
  // JSON text may have line breaks between its parts, but a line of changes has none.
  return text.replaceAll(/[\r\n]/g, ' ')
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}
