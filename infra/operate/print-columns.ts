import type { KeptColumns, KeptVersion } from '../../lib/recovery/examine/column-versions.ts'
import { listNames } from '../../lib/text/name-list.ts'
import { line } from './lines.ts'

/** The latest ones; an answer in JSON has more. */
const shownVersions = 10

/** The changes of columns that the poller noticed, the tables with the newest ones first. */
export function columnLines({ tables, others }: KeptColumns): string[] {
  if (tables.length === 0) return []
  const changes = changesOf({ tables })
  const left = changes.length - shownVersions
  return [
    line(
      'columns',
      `${tables.length + others} tables; ${changes.length === 0 ? 'none changed' : 'changed:'}`,
    ),
    ...changes
      .slice(0, shownVersions)
      .flatMap(({ table, version }) => [
        line('', `${table}  version ${version.version} since ${placeText(version)}`),
        line('', `  ${driftText(version)}`),
      ]),
    ...(left > 0 ? [line('', `and ${left} more versions: --json shows them`)] : []),
  ]
}

/** A version that differs from the one before it. */
export interface ColumnChange {
  readonly table: string
  readonly version: KeptVersion
}

export function changesOf({ tables }: Pick<KeptColumns, 'tables'>): ColumnChange[] {
  return tables.flatMap(({ table, versions }) =>
    versions.filter(({ version }) => version > 1).map((version) => ({ table, version })),
  )
}

function placeText({ generation, offset, time }: KeptVersion): string {
  return `offset ${offset} of generation ${generation}${time === null ? '' : `, ${time}`}`
}

/** Which columns are new, lost, or of another type. */
export function driftText({ added, lost, retyped }: KeptVersion): string {
  const types = retyped.map(({ name, from, to }) => `${name} (${from} to ${to})`)
  return Object.entries({ new: added, lost, 'of another type': types })
    .flatMap(([what, names]) => (names.length === 0 ? [] : [`${what}: ${listNames(names)}`]))
    .join('; ')
}
