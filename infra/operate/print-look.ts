import type { LookedChange, LookResult } from '../../lib/recovery/examine/look.ts'
import { npmCommand } from './command-line.ts'
import { type Asked, line } from './lines.ts'

export function lookLines(answer: LookResult, { event, deployment }: Asked): string[] {
  const { changes, more, read, range, position, error, notes, next } = answer
  const place =
    position === null
      ? 'no checkpoint is known'
      : `the checkpoint is at offset ${position.offset}, ${position.state}, ${position.lagSeconds} s late`
  return [
    ...changes.flatMap(changeLines),
    ...(changes.length === 0 ? ['No such change there.'] : []),
    ...(more === 0 ? [] : [`${more} more changes in that part are not shown.`]),
    `Read ${read.records} records, offsets ${read.from} to ${read.to} (exclusive). The log begins at ${range.earliest}, its next ` +
      `record gets ${range.end}; ${place}.`,
    ...(error === null ? [] : [error]),
    ...notes,
    ...(next === null
      ? []
      : [
          `To see ${next.from === undefined ? 'older' : 'later'} ones:`,
          `  ${npmCommand({ ...event, ...next }, deployment)}`,
        ]),
  ]
}

function changeLines(change: LookedChange): string[] {
  const { offset, at, operation, table, key, functions, fate, columns, text, withheld, masked } = change
  const time = Math.abs(at) <= lastTime ? new Date(at).toISOString().replace('.000Z', 'Z') : 'no date'
  const reason = fate.reason === null ? '' : `: ${fate.reason}`
  const shown = operation === 'UPDATE' ? columns.filter(({ before, after }) => before !== after) : columns
  return [
    `${operation} ${table} ${key} at offset ${offset}, ${time}, ${functions.join(', ') || 'no function'}, ${fate.kind}${reason}`,
    ...(text === null ? [] : [line('', text)]),
    ...shown.map(({ name, before, after }) => line('', `${name}: ${difference(before, after)}`)),
    ...(masked.length === 0 ? [] : [line('', `masked: ${masked.join(', ')}`)]),
    ...(withheld === null ? [] : [line('', withheld)]),
  ]
}

/** The last time that a date can name, in milliseconds. */
const lastTime = 8_640_000_000_000_000

function difference(before: string | null, after: string | null): string {
  if (before === null) return after ?? ''
  return after === null ? before : `${before} → ${after}`
}
