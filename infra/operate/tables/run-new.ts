import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { problemsOf } from '../../../lib/dispatch/pattern.ts'
import { printable } from '../../../lib/text/printable.ts'
import { readArguments, reporting, UsageError } from '../report.ts'
import { asFlags, type StreamCall, settingsOf, streamCall, streamOptions } from '../stream-flags.ts'
import { newTable } from './new-table.ts'
import { hasEnough, sampleTables } from './sample.ts'
import { openSource, type TableCommand, tablesOf } from './source.ts'

const options = { ...streamOptions, file: { type: 'string' }, help: { type: 'boolean' } } as const

const usage = ({ program }: TableCommand) => `${program} database.table [--file NAME] [flags]

Reads the newest changes of the table and writes functions/tables/NAME.ts and its test. NAME is the table's name
unless --file gives another one. The stream is that of .env.<stage>, .env or the shell, or of the flags that tail takes.
With --source, it is that of custom.sources, and the files are in the folder of the source.`

interface NewCall extends StreamCall {
  readonly table: string
  readonly name: string
}

/** Writes a handler for a table of the stream, and its test. @returns the exit code */
export function runNew(argv: readonly string[], command: TableCommand): Promise<number> {
  const text = usage(command)
  return reporting(text, async () => {
    const call = toCall(argv)
    if (call !== null) return await write(call, process.cwd(), command)
    console.log(text)
    return 0
  })
}

async function write(call: NewCall, folder: string, command: TableCommand): Promise<number> {
  const { table, name, source } = call
  // The files of a source are in a folder of its name.
  const path = source === undefined ? name : `${source}/${name}`
  const files = { handler: `functions/tables/${path}.ts`, test: `${testFolder(folder)}/${path}.test.ts` }
  for (const file of Object.values(files)) {
    if (existsSync(join(folder, file)))
      throw new UsageError(`${file} exists. Nothing was written; choose another --file.`)
  }
  const settings = await settingsOf(call, process.env, folder)
  const other = await handlerOf(call, folder)
  if (other !== null) throw new UsageError(`${other} handles ${table} already. Nothing was written.`)
  const opened = await openSource(settings, command)
  const { samples, tables, records } = await sampleTables(
    opened.stream,
    (found) => found === table,
    (changes) => hasEnough(changes, table),
  ).finally(() => opened.close())
  if (opened.isExample) console.log('No stream is configured, so these are the columns of the example shop.')
  const sample = samples.get(table)
  if (sample === undefined) {
    const known = [...tables].map(printable).join(', ') || 'none'
    console.error(
      `The newest ${records} records have no change of ${printable(table)}. Nothing was written. Their tables: ${known}.`,
    )
    return 1
  }
  const handler = relative(dirname(files.test), files.handler).split(sep).join('/')
  const texts = newTable(sample, handler)
  for (const kind of ['handler', 'test'] as const) {
    const path = join(folder, files[kind])
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, texts[kind], { flag: 'wx' })
  }
  console.log(`${files.handler}  ${sample.columns.length} columns, from ${sample.changes.length} changes`)
  console.log(`${files.test}  run it: npm test`)
  return 0
}

/** This repository's tests of handlers are in a folder of their own. */
function testFolder(folder: string): string {
  return existsSync(join(folder, 'test/functions')) ? 'test/functions' : 'test'
}

/** The file of a handler that names the table; null if there is none. */
async function handlerOf(call: NewCall, folder: string): Promise<string | null> {
  const tables = await tablesOf(call, folder)
  return tables.find(({ tables: { patterns } }) => patterns.includes(call.table))?.file ?? null
}

function toCall(argv: readonly string[]): NewCall | null {
  const { values, positionals } = readArguments({ args: asFlags(argv), options, allowPositionals: true })
  if (values.help) return null
  const [table, ...more] = positionals
  if (table === undefined || more.length > 0) throw new UsageError('Give one table, such as shop.orders.')
  const isPattern = table.includes('*') || table.startsWith('!')
  const problems = isPattern
    ? ['a new handler is for one table: write its whole name']
    : problemsOf({ patterns: [table], except: [] })
  if (problems.length > 0) throw new UsageError(problems.join('; '))
  const name =
    values.file ?? (table.split('.').at(-1) ?? '').replace(/^[A-Z]/, (letter) => letter.toLowerCase())
  if (!/^[a-z][A-Za-z0-9_-]*$/.test(name)) {
    throw new UsageError(
      `"${name}" cannot be a file's name: it starts with a lower-case letter, followed by letters, digits, "-" and "_". Give --file.`,
    )
  }
  return { table, name, ...streamCall(values) }
}
