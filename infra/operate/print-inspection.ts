import type { Inspection, NumberedEntry } from '../../lib/recovery/examine/inspect.ts'
import { formatTime } from '../../lib/time.ts'
import { type Asked, checkLines, line, stepLines } from './lines.ts'
import { columnLines } from './print-columns.ts'

export function inspectionLines(answer: Inspection, asked: Asked): string[] {
  const { group } = answer
  return [
    ...answer.checks.filter(({ result }) => result !== 'ok').flatMap((check) => checkLines(check, asked)),
    ...storedLines(answer),
    ...foundLines(answer),
    line(
      'group',
      group === null
        ? 'no commit at the broker'
        : `offset ${group.offset}, ${group.by}, ${group.metadata ?? ''}`,
    ),
    line(
      'lag',
      `${orUnknown(answer.lagSeconds)} s, ${orUnknown(answer.lagRecords)} records; ${reserve(answer.secondsUntilLoss)}`,
    ),
    line('news', news(answer.silentSeconds)),
    ...answer.ledger.slice(-5).map(ledgerLine),
    ...(answer.columns === undefined ? [] : columnLines(answer.columns)),
    '',
    answer.advice,
    ...stepLines(answer.next, asked),
  ]
}

function storedLines({ stored, storedFault }: Inspection): string[] {
  if (stored === null) {
    return [
      line('state', storedFault === null ? 'nothing read yet' : 'unknown'),
      line('stored', storedFault ?? 'none'),
    ]
  }
  const { state, halt, offset, time, clusterId, generation, times, lanes, leaseUntil } = stored
  return [
    line('state', halt === null ? state : `${state}  ${halt.code}`),
    ...(halt === null ? [] : [line('', halt.message)]),
    ...Object.entries(halt?.facts ?? {}).map(([name, value]) => line('', `${name}: ${value}`)),
    line('stored', `offset ${offset}, ${time}, cluster ${clusterId}, generation ${generation}`),
    line('times', times),
    ...Object.entries(lanes).map(([name, lane]) => line('', `${name}: ${lane}`)),
    ...(leaseUntil === null ? [] : [line('lease', `a run may be at work until ${leaseUntil}`)]),
  ]
}

function foundLines({ found }: Inspection): string[] {
  if (found === null) return [line('found', 'not reached')]
  const { earliest, end, clusterId, times } = found
  return [
    line('found', `offsets from ${earliest}, the next one ${end}, cluster ${clusterId}`),
    ...(times === null ? [] : [line('', `${formatTime(times.first)} to ${formatTime(times.last)}`)]),
  ]
}

function ledgerLine({ entry, at, how, from, to, by }: NumberedEntry): string {
  const number = entry === null ? '   ' : `#${entry}`.padEnd(3)
  const offsets = from === null ? to.offset : `${from.offset} → ${to.offset}`
  return line('ledger', `${number} ${new Date(at).toISOString()}  ${how}  ${offsets}  by ${by}`)
}

function news(seconds: number | null): string {
  return seconds === null
    ? 'the age of the newest record is unknown'
    : `the newest record is ${seconds} s old`
}

/** How long the stream may stay halted. Only the advice knows whether anything is lost. */
function reserve(seconds: number | null): string {
  if (seconds === null) return 'it is unknown how long DTS keeps unread records'
  if (seconds >= 0) return `the log begins ${seconds} s before the position's time`
  return `the log begins ${-seconds} s after the position's time: see below what that means`
}

function orUnknown(value: number | string | null): string {
  return value === null ? '?' : String(value)
}
