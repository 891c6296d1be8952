import type { KeptColumns, KeptVersion } from '../../lib/recovery/examine/column-versions.ts'
import { listNames } from '../../lib/text/name-list.ts'
import { line } from './lines.ts'

/** The latest ones; an answer in JSON has more. */
const shownVersions = 10

/** The changes of columns that the poller noticed, the tables with the newest ones first. */
export function columnLines({ tables, others }: KeptColumns): string[] {
  if (tables.length === 0) return []
  const changes = tables.flatMap(({ table, versions }) =>
    versions.filter(({ version }) => version > 1).map((version) => ({ table, version })),
  )
  const left = changes.length - shownVersions
  return [
    line(
      'columns',
      `${tables.length + others} tables; ${changes.length === 0 ? 'none changed' : 'changed:'}`,
    ),
    ...changes.slice(0, shownVersions).flatMap(({ table, version }) => versionLines(table, version)),
    ...(left > 0 ? [line('', `and ${left} more versions: --json shows them`)] : []),
  ]
}

function versionLines(
  table: string,
  { version, generation, offset, time, added, lost, retyped }: KeptVersion,
): string[] {
  const types = retyped.map(({ name, from, to }) => `${name} (${from} to ${to})`)
  const parts = Object.entries({ new: added, lost, 'of another type': types }).flatMap(([what, names]) =>
    names.length === 0 ? [] : [`${what}: ${listNames(names)}`],
  )
  const at = time === null ? '' : `, ${time}`
  return [
    line('', `${table}  version ${version} since offset ${offset} of generation ${generation}${at}`),
    line('', `  ${parts.join('; ')}`),
  ]
}
