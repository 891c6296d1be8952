import type { ColumnHistory, ColumnVersion, TableColumns } from '../../checkpoint/column-history.ts'
import { formatTime } from '../../time.ts'

/** An answer names at most this many tables, those that changed last. */
const mostTables = 100

/** What the poller keeps about the columns of the stream's tables. */
export interface KeptColumns {
  /** The table whose last version is the newest comes first. */
  readonly tables: readonly {
    readonly table: string
    /** The columns of the last version. */
    readonly columns: readonly string[]
    /** The oldest first. */
    readonly versions: readonly KeptVersion[]
  }[]
  /** How many tables are left out here. */
  readonly others: number
}

export interface KeptVersion extends Pick<ColumnVersion, 'version' | 'added' | 'lost' | 'retyped'> {
  readonly generation: number
  /** The first change that had these columns, in that generation. */
  readonly offset: string
  /** Its source time; null if it has none. */
  readonly time: string | null
}

export function keptColumns({ tables }: ColumnHistory): KeptColumns {
  const newestFirst = [...tables].sort(([, one], [, other]) => compareSince(lastOf(other), lastOf(one)))
  return {
    tables: newestFirst.slice(0, mostTables).map(([table, { columns, versions }]) => ({
      table,
      columns: [...columns.keys()],
      versions: versions.map(({ version, since: { generation, offset, time }, added, lost, retyped }) => ({
        version,
        generation,
        offset: String(offset),
        time: time === null ? null : formatTime(time),
        added,
        lost,
        retyped,
      })),
    })),
    others: Math.max(0, tables.size - mostTables),
  }
}

function lastOf({ versions }: TableColumns): ColumnVersion['since'] {
  return (versions.at(-1) as ColumnVersion).since
}

function compareSince(one: ColumnVersion['since'], other: ColumnVersion['since']): number {
  if (one.generation !== other.generation) return one.generation - other.generation
  return Number(one.offset - other.offset)
}
