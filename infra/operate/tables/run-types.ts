import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { $ZodObject } from 'zod/v4/core'
import { RowFilter } from '../../../lib/dispatch/row-filter.ts'
import type { Delivery } from '../../../lib/dispatch/settings.ts'
import { printable } from '../../../lib/text/printable.ts'
import { readArguments, reporting, UsageError } from '../report.ts'
import { asFlags, type StreamCall, settingsOf, streamCall, streamOptions } from '../stream-flags.ts'
import { type CheckedHandler, findDrift, patternsOf } from './check-types.ts'
import { columnType, property } from './column-types.ts'
import { hasEnough, sampleTables, type TableSample } from './sample.ts'
import { openSource, type TableCommand, tablesOf } from './source.ts'

const options = { ...streamOptions, check: { type: 'boolean' }, help: { type: 'boolean' } } as const

const usage = ({ program }: TableCommand) => `${program} [--check] [flags]

Prints the columns of every table that the handlers of a stream handle, as the newest changes of the stream show them.
  --check   compares them with the handlers instead, prints file and line of each contradiction, and fails if there is one
The stream is that of .env.<stage>, .env or the shell, or of the flags that tail takes. --source NAME takes that of
custom.sources.NAME.`

/** Prints the columns of the handled tables, or compares them with the handlers. @returns the exit code */
export function runTypes(argv: readonly string[], command: TableCommand): Promise<number> {
  const text = usage(command)
  return reporting(text, async () => {
    const { values } = readArguments({ args: asFlags(argv), options })
    const call = streamCall(values)
    if (!values.help) return await compare(call, values.check ?? false, process.cwd(), command)
    console.log(text)
    return 0
  })
}

async function compare(
  call: StreamCall,
  isCheck: boolean,
  folder: string,
  command: TableCommand,
): Promise<number> {
  const settings = await settingsOf(call, process.env, folder)
  const handlers = await readHandlers(call, folder)
  const patterns = patternsOf(handlers)
  const exact = patterns.filter(({ isExact }) => isExact)
  const source = await openSource(settings, command)
  const sampling = await sampleTables(
    source.stream,
    (table) => patterns.some((pattern) => pattern.matches(table)),
    // A pattern can match a table that only older records show.
    (changes) => exact.length === patterns.length && exact.every(({ text }) => hasEnough(changes, text)),
  ).finally(() => source.close())
  if (source.isExample) console.log('No stream is configured, so this compares with the example shop.')
  if (!isCheck) {
    for (const sample of sampling.samples.values()) console.log(describe(sample))
    return 0
  }
  const drift = findDrift(handlers, sampling)
  for (const { file, line, message } of drift) console.error(printable(`${file}:${line}: ${message}`))
  const verdict = drift.length === 0 ? 'fit' : `contradict each other in ${drift.length} places`
  console.log(
    `${handlers.length} handlers and the newest ${sampling.records} records of the stream ${verdict}.`,
  )
  return drift.length === 0 ? 0 : 1
}

function describe(sample: TableSample): string {
  const lines = sample.columns.map((column) => {
    const key = sample.keys.includes(column.name) ? ' // primary key' : ''
    return `  ${property(column.name)}: ${columnType(column, sample)},${key}`
  })
  return `${printable(sample.table)}  (${sample.changes.length} changes)\n${lines.join('\n')}\n`
}

/** What `defineTable` keeps of its definition. */
interface Definition extends Pick<CheckedHandler, 'table'> {
  readonly row: unknown
  readonly delivery: Pick<Delivery, 'operations' | 'filter' | 'mask'>
}

async function readHandlers(call: StreamCall, folder: string): Promise<CheckedHandler[]> {
  if (!existsSync(join(folder, 'functions/tables')))
    throw new UsageError(
      'There is no folder functions/tables here. Run this in the folder of serverless.yml.',
    )
  const found = await tablesOf(call, folder)
  return await Promise.all(
    found.map(async ({ file }) => {
      const path = join(folder, file)
      const module: { handler: { definition: Definition } } = await import(pathToFileURL(path).href)
      const { table, row, delivery } = module.handler.definition
      if (!(row instanceof $ZodObject))
        throw new UsageError(`${file} uses another copy of zod than this command. Run npm dedupe.`)
      const { operations, filter, mask = {} } = delivery
      const filtered = filter === undefined ? [] : new RowFilter(filter).columns
      return { file, source: readFileSync(path, 'utf8'), table, row, operations, filtered, mask }
    }),
  )
}
