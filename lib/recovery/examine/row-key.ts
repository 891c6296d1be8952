import type { Change } from '../../dts/change.ts'
import { plainValue } from './describe-change.ts'

/** The parts of a key that a person typed: `7`, `id=7`, or several parts separated by spaces. */
export function partsOfKey(key: string): readonly string[] {
  return key.split(/\s+/).filter((part) => part !== '')
}

/** Whether a change is of the row with a key. An update can change the key, so both images count. No part names no row. */
export function isOfRow(change: Change, parts: readonly string[]): boolean {
  if (change.operation === 'DDL' || parts.length === 0) return false
  const rows = ['before' in change ? change.before : {}, 'after' in change ? change.after : {}]
  return rows.some((row) =>
    parts.every((part) => {
      const equals = part.indexOf('=')
      if (equals < 0) return change.keys.some((name) => name in row && plainValue(row[name]) === part)
      const name = part.slice(0, equals)
      return name in row && plainValue(row[name]) === part.slice(equals + 1)
    }),
  )
}
