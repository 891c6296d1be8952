import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as z from 'zod'
import { type DeclaredTables, declaredTables } from '../lib/dispatch/pattern.ts'
import { type Delivery, deliverySchema } from '../lib/dispatch/settings.ts'
import { DtsError, isDtsError } from '../lib/errors.ts'
import { describeThrown, messageOf } from '../lib/text/thrown.ts'
import { refuseAll } from './faults.ts'
import { roleId, serviceKey } from './logical-id.ts'
import { invalidSetting } from './setting-error.ts'
import { namesOf, type Stream } from './streams.ts'
import { checkConflicts } from './table-conflicts.ts'
import { findTableFiles, type TableFile } from './table-files.ts'

/** A file of functions/tables: its deployed function and the tables that it handles. */
export interface Table {
  /** The names of its folders and its own without the ending. This is the deployed function's name without the prefix. */
  readonly key: string
  /** The source that the folder belongs to; empty for the unnamed one. */
  readonly source: string
  /** The file's name in error messages. */
  readonly file: string
  /** The patterns that defineTable received, such as `shop.orders`. */
  readonly tables: DeclaredTables
  readonly delivery: Delivery
}

/** The settings of serverless.yml for all functions. */
export interface Settings {
  /** The prefix of the deployed functions' names. */
  readonly prefix: string
  /** The flags that serverless commands need to reach this deployment. */
  readonly flags: string
  /** Service and stage identify the deployment in the consumer group. */
  readonly service: string
  readonly stage: string
  readonly checkpointTable: string
  readonly streams: readonly Stream[]
  /** `custom.tables`: settings of single table functions, by key. */
  readonly tables: unknown
  /** `custom.stream`: settings of poller and recovery. */
  readonly stream: unknown
  /** `custom.account`: what the AWS account asks for. */
  readonly account: unknown
}

/** The first letter is lower case. Logical ids begin with a capital, so `orders` and `Orders` would collide. */
const keyPattern = /^[a-z][A-Za-z0-9_-]*$/

/** Lambda's limit for a function's name, in characters. */
const maxNameLength = 64

/** The default settings of a table function. */
const defaults = {
  // The poller waits for the handler, and several batches must fit into one run.
  timeout: 30,
  // Lambda gives CPU by memory; below 256 MB loading the bundle dominates a cold start.
  memorySize: 256,
}

const overridesSchema = z.record(
  z.string(),
  z.looseObject({
    timeout: z.int().min(1).max(900).default(defaults.timeout),
    statements: z.array(z.record(z.string(), z.unknown())).default([]),
  }),
)

/**
 * Imports every handler file of `folder` and reads the tables from its exported handler.
 * @param sources the named sources: each has a folder of its own. Null if they are unknown: then files in folders may name one table,
 *   as the files of two sources may.
 * @throws DtsError CONFIG_INVALID, which names the file, if it cannot be imported, exports no table handler, has a name
 *   that no function can have, or handles a table of another file.
 */
export async function findTables(folder: string, sources: readonly string[] | null = []): Promise<Table[]> {
  const tables: Table[] = []
  const faults: DtsError[] = []
  for (const file of await findTableFiles(folder)) {
    try {
      tables.push(await readTable(folder, file, sources ?? []))
    } catch (error) {
      if (!isDtsError(error)) throw error
      faults.push(error)
    }
  }
  refuseAll(faults)
  if (sources === null) checkConflicts(tables.filter(({ file }) => isOutsideFolders(file)))
  for (const source of sources === null ? [] : ['', ...sources])
    checkConflicts(tables.filter((table) => table.source === source))
  return tables
}

/** Such a file is of the stream without a name. */
function isOutsideFolders(file: string): boolean {
  return /^functions\/tables\/[^/]+$/.test(file)
}

/**
 * The entries of `functions:` for the tables.
 * @throws DtsError CONFIG_INVALID if a name is too long, or `custom.tables` names an unknown file.
 */
export function tableFunctions(tables: readonly Table[], settings: Settings): Record<string, object> {
  const overrides = readOverrides(tables, settings)
  return Object.fromEntries(
    tables.map((table) => {
      const { key, file } = table
      const name = settings.prefix + key
      if (name.length > maxNameLength) {
        throw invalid(
          `The function of ${file} would be named "${name}": ${name.length} characters, Lambda allows ` +
            `${maxNameLength}. Shorten the file's name, the service's or the stage's.`,
        )
      }
      const stream = settings.streams.find(({ source }) => source === table.source)
      if (table.delivery.transactions === true && (stream?.partitions ?? 1) > 1) {
        throw invalid(
          `${file} has onTransaction, and its topic has ${stream?.partitions} partitions. The poller of a partition sees only a part of ` +
            'a transaction and would call it whole: use onBatch, or a topic with one partition.',
        )
      }
      const { statements: _, ...own } = overrides[key] ?? { ...defaults, statements: [] }
      const handler = file.replace(/\.ts$/, '.handler')
      return [
        serviceKey(key),
        {
          ...defaults,
          ...own,
          name,
          handler,
          role: { 'Fn::Sub': `\${${roleId(key)}.Arn}` },
          description: describe(table),
        },
      ]
    }),
  )
}

/** The longest timeout of some table functions, in seconds; at least the 1 s that Lambda allows. @param tables all */
export function longestTimeoutOf(
  tables: readonly Table[],
  some: readonly Table[],
  settings: Settings,
): number {
  const overrides = readOverrides(tables, settings)
  return Math.max(1, ...some.map(({ key }) => overrides[key]?.timeout ?? defaults.timeout))
}

/** The IAM statements that `custom.tables` adds, by function key. */
export function extraStatements(tables: readonly Table[], settings: Settings): Map<string, object[]> {
  const overrides = readOverrides(tables, settings)
  return new Map(tables.map(({ key }) => [key, overrides[key]?.statements ?? []]))
}

/** The function's description. Lambda allows 256 characters. */
function describe({ tables: { patterns, except } }: Table): string {
  const names = [...patterns, ...except.map((pattern) => `!${pattern}`)].join(', ')
  const text = `Handles changes of ${names}`
  return text.length > 256 ? `${text.slice(0, 255)}…` : text
}

function readOverrides(tables: readonly Table[], settings: Settings) {
  const parsed = overridesSchema.safeParse(settings.tables)
  if (!parsed.success) {
    throw invalidSetting('tables', parsed.error)
  }
  for (const key of Object.keys(parsed.data)) {
    if (!tables.some((table) => table.key === key)) {
      throw invalid(
        `custom.tables in serverless.yml names "${key}", but there is no functions/tables/${key}.ts. ` +
          `Known: ${tables.map((table) => table.key).join(', ')}.`,
      )
    }
  }
  return parsed.data
}

async function readTable(
  folder: string,
  { key, path }: TableFile,
  sources: readonly string[],
): Promise<Table> {
  const file = `functions/tables/${path}`
  if (!keyPattern.test(key)) {
    throw invalid(
      `${file}: "${key}" cannot be a function's name. A file's name starts with a lower-case letter, followed by ` +
        'letters, digits, "-" and "_".',
    )
  }
  const taken = ['', ...sources]
    .map((source) => namesOf({ source }))
    .find(({ poller, recovery }) => key === recovery || key.replace(/-\d+$/, '') === poller)
  if (taken !== undefined) {
    throw invalid(
      `${file}: the name "${key}" is taken by the ${key === taken.recovery ? 'recovery' : 'poller'} of a stream. Rename the file.`,
    )
  }
  const definition = definitionOf(await importModule(folder, path, file))
  if (definition === null) {
    throw invalid(
      `${file} exports no table handler. It needs: export const handler = defineTable({ table: …, … })`,
    )
  }
  const [first = '', ...rest] = path.split('/')
  const source = rest.length > 0 && sources.includes(first) ? first : ''
  return { key, source, file, tables: declaredTables(definition.table), delivery: definition.delivery }
}

async function importModule(folder: string, path: string, file: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(join(folder, path)).href)
  } catch (cause) {
    const hint = (await needsEnvironment(join(folder, path), cause))
      ? '\nA handler file must load without the environment of its deployed function. Read variables when the handler runs.'
      : ''
    throw invalid(
      `${file} cannot be loaded to read its table${lineIn(path, cause)}: ${messageOf(cause)}${hint}`,
      cause,
    )
  }
}

/** Whether the fault may be that the file reads a variable, which only its deployed function has. */
async function needsEnvironment(path: string, cause: unknown): Promise<boolean> {
  // An error of defineTable says what to correct. The handler may use another copy of its class.
  if (['CONFIG_INVALID', 'ERR_MODULE_NOT_FOUND'].includes(String(memberOf(cause, 'code')))) return false
  if (cause instanceof SyntaxError) return false
  return /\bprocess\b/.test(await readFile(path, 'utf8'))
}

/** The line of the file that an error of loading it names. */
function lineIn(path: string, cause: unknown): string {
  const { stack = '' } = describeThrown(cause)
  const start = stack.indexOf(`${path}:`)
  const line = start === -1 ? '' : /^\d+/.exec(stack.slice(start + path.length + 1))?.[0]
  return line ? ` (line ${line})` : ''
}

const definitionSchema = z.object({
  table: z.union([z.string().min(1), z.array(z.string().min(1))]),
  delivery: deliverySchema,
})

function definitionOf(module: unknown): z.output<typeof definitionSchema> | null {
  const handler = memberOf(module, 'handler')
  const parsed = definitionSchema.safeParse(memberOf(handler, 'definition'))
  return typeof handler === 'function' && parsed.success ? parsed.data : null
}

function memberOf(value: unknown, name: string): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined
  return Reflect.get(value, name)
}

function invalid(message: string, cause?: unknown): DtsError {
  return new DtsError('CONFIG_INVALID', message, { retryable: false, cause })
}
