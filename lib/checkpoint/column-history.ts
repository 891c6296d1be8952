import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import * as z from '../schema.ts'

/** The columns of a table: the number of the source's data type, by name. */
export type Columns = ReadonlyMap<string, number>

/** Where a list of columns was seen first. An offset is only valid in its generation. */
export interface ColumnsSince {
  readonly generation: number
  readonly offset: bigint
  /** The record's source time in seconds; null if it has none. */
  readonly time: number | null
}

/** How a list of columns differs from the one before it. Names are in the order of the record. */
export interface ColumnDrift {
  readonly added: readonly string[]
  readonly lost: readonly string[]
  readonly retyped: readonly { readonly name: string; readonly from: number; readonly to: number }[]
}

export interface ColumnVersion extends ColumnDrift {
  /** Counted from 1. The oldest versions are forgotten. */
  readonly version: number
  readonly since: ColumnsSince
  /** Identifies the set of names and types. */
  readonly digest: string
}

/** What is known about the columns of one table. */
export interface TableColumns {
  /** The columns of the last version. */
  readonly columns: Columns
  /** The oldest first; at least one. */
  readonly versions: readonly ColumnVersion[]
}

/** The columns of a table, as a record lists them. */
export interface SeenColumns {
  readonly table: string
  readonly columns: Columns
  readonly since: ColumnsSince
}

export type Comparison = { readonly kind: 'known' | 'first' } | ({ readonly kind: 'drift' } & ColumnDrift)

const mostVersions = 20
/** DynamoDB stores at most 400 KB in an item. */
const mostStoredBytes = 380_000
/** Before the compression, because reading takes time and memory. */
const mostBytes = 2_000_000
/** No further table is added from here on, so that those that are known have room for changes. Enough for 500 tables of 60 columns. */
const fullBytes = 600_000

/**
 * The versions of the columns of all tables of a stream. A list that a table had before is known: a reset, or a source that writes two
 * lists in turn, brings nothing new. A table that was never seen before has no drift.
 */
export class ColumnHistory {
  readonly #tables: Map<string, TableColumns>
  /** The list that was compared last, by table: it can be an older version than the last one. */
  readonly #inUse = new Map<string, Columns>()
  /** About the bytes that the tables take. */
  #bytes: number

  constructor(tables: Iterable<readonly [string, TableColumns]> = []) {
    this.#tables = new Map(tables)
    this.#bytes = [...this.#tables].reduce((sum, entry) => sum + sizeOf(entry), 0)
  }

  /** In the order in which the tables were seen first. */
  get tables(): ReadonlyMap<string, TableColumns> {
    return this.#tables
  }

  compare({ table, columns }: Pick<SeenColumns, 'table' | 'columns'>): Comparison {
    const known = this.#tables.get(table)
    if (known === undefined) return { kind: 'first' }
    const digest = digestOf(columns)
    if (known.versions.some((version) => version.digest === digest)) {
      this.#inUse.set(table, columns)
      return { kind: 'known' }
    }
    return { kind: 'drift', ...differences(this.#inUse.get(table) ?? known.columns, columns) }
  }

  /** Adds a list that is not known. @returns false if there is no room for another table */
  add({ table, columns, since }: SeenColumns): boolean {
    const known = this.#tables.get(table)
    if (known === undefined && this.#bytes > fullBytes) return false
    const version = {
      version: (known?.versions.at(-1)?.version ?? 0) + 1,
      since,
      digest: digestOf(columns),
      ...(known === undefined
        ? { added: [], lost: [], retyped: [] }
        : differences(this.#inUse.get(table) ?? known.columns, columns)),
    }
    const versions = [...(known?.versions ?? []), version].slice(-mostVersions)
    const entry = [table, { columns, versions }] as const
    this.#bytes += sizeOf(entry) - (known === undefined ? 0 : sizeOf([table, known]))
    this.#tables.set(...entry)
    this.#inUse.set(table, columns)
    return true
  }

  /** As compressed bytes that fit into an item. If there is too much, older versions are left out, then the newest tables. */
  encode(): Uint8Array {
    let tables = [...this.#tables]
    for (let keep = mostVersions; ; keep = Math.floor(keep / 2)) {
      if (keep === 0) tables = tables.slice(0, Math.floor(tables.length / 2))
      const text = JSON.stringify(tables.map((entry) => toStored(entry, Math.max(1, keep))))
      if (Buffer.byteLength(text) > mostBytes) continue
      const bytes = gzipSync(text)
      if (bytes.length <= mostStoredBytes) return bytes
    }
  }

  /** @returns null if this version of the code cannot read the bytes */
  static decode(bytes: Uint8Array): ColumnHistory | null {
    try {
      const stored = storedSchema.parse(
        JSON.parse(gunzipSync(bytes, { maxOutputLength: mostBytes }).toString()),
      )
      return new ColumnHistory(stored.map(fromStored))
    } catch {
      return null
    }
  }
}

/** Of names and types, whatever their order. */
function digestOf(columns: Columns): string {
  const sorted = [...columns].sort(([one], [other]) => (one < other ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('base64url').slice(0, 16)
}

function differences(before: Columns, after: Columns): ColumnDrift {
  return {
    added: [...after.keys()].filter((name) => !before.has(name)),
    lost: [...before.keys()].filter((name) => !after.has(name)),
    retyped: [...after].flatMap(([name, to]) => {
      const from = before.get(name)
      return from === undefined || from === to ? [] : [{ name, from, to }]
    }),
  }
}

const names = z.array(z.string())
const storedSchema = z.array(
  z.object({
    table: z.string(),
    columns: z.array(z.tuple([z.string(), z.int()])),
    versions: z
      .array(
        z.object({
          version: z.int(),
          digest: z.string(),
          generation: z.int(),
          offset: z.string().check(z.regex(/^\d+$/)),
          time: z.nullable(z.number()),
          added: z._default(names, []),
          lost: z._default(names, []),
          retyped: z._default(z.array(z.tuple([z.string(), z.int(), z.int()])), []),
        }),
      )
      .check(z.minLength(1)),
  }),
)
type Stored = z.output<typeof storedSchema>[number]

function toStored([table, { columns, versions }]: readonly [string, TableColumns], keep: number) {
  return {
    table,
    columns: [...columns],
    versions: versions.slice(-keep).map(({ version, digest, since, added, lost, retyped }) => ({
      version,
      digest,
      ...since,
      offset: String(since.offset),
      ...(added.length === 0 ? {} : { added }),
      ...(lost.length === 0 ? {} : { lost }),
      ...(retyped.length === 0 ? {} : { retyped: retyped.map(({ name, from, to }) => [name, from, to]) }),
    })),
  }
}

function fromStored({ table, columns, versions }: Stored): [string, TableColumns] {
  return [
    table,
    {
      columns: new Map(columns),
      versions: versions.map(({ generation, offset, time, retyped, ...version }) => ({
        ...version,
        since: { generation, offset: BigInt(offset), time },
        retyped: retyped.map(([name, from, to]) => ({ name, from, to })),
      })),
    },
  ]
}

function sizeOf(entry: readonly [string, TableColumns]): number {
  return Buffer.byteLength(JSON.stringify(toStored(entry, mostVersions)))
}
