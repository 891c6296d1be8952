import type { Inspection } from '../../../lib/recovery/examine/inspect.ts'
import type { LookResult } from '../../../lib/recovery/examine/look.ts'
import type { ShownCheckpoint, ShownLog } from '../../page/messages.ts'
import { type ColumnChange, changesOf, driftText } from '../print-columns.ts'

/** What an inspection and the looks after it tell, for the page. */

export function shownState({ state, halt }: NonNullable<Inspection['stored']>): ShownCheckpoint['state'] {
  return halt?.code === 'PAUSED' ? 'PAUSED' : state
}

export function shownCheckpoint({ stored }: Inspection): ShownCheckpoint | null {
  if (stored === null) return null
  const { clusterId, offset, generation, timestamp, halt } = stored
  return {
    clusterId,
    offset,
    generation,
    at: timestamp * 1_000,
    state: shownState(stored),
    halt: halt === null ? null : { code: halt.code, message: halt.message, at: halt.at },
  }
}

export function shownLog({ found, secondsUntilLoss }: Inspection): ShownLog | null {
  if (found === null) return null
  const { clusterId, earliest, end, times } = found
  return {
    clusterId,
    earliest,
    end,
    times: times === null ? null : { first: times.first * 1_000, last: times.last * 1_000 },
    reserve: secondsUntilLoss,
    isBounded: true,
  }
}

export function troublesOf({ checks, storedFault, stored }: Inspection): string[] {
  const lanes = Object.entries(stored?.lanes ?? {}).map(([name, text]) => `${name}: ${text}`)
  const failed = checks.filter(({ result }) => result === 'failed' || result === 'attention')
  return [
    ...(storedFault === null ? [] : [`checkpoint: ${storedFault}`]),
    ...failed.map(({ name, result, detail }) => `${name} (${result}): ${detail}`),
    ...lanes,
  ]
}

/** Moves, actions by hand and changes of columns, the newest first: each text begins with its time. */
export function eventsOf({ ledger, columns }: Inspection): string[] {
  const changes = columns === undefined ? [] : changesOf(columns).map(changeText)
  return [...ledger.map(entryText), ...changes].sort().reverse()
}

function changeText({ table, version }: ColumnChange): string {
  const { offset, time } = version
  const at = time === null ? '' : `${time.slice(0, 19)}Z  `
  return `${at}the columns of ${table} changed at offset ${offset} (${driftText(version)})`
}

function entryText({ at, how, by, from, to }: Inspection['ledger'][number]): string {
  const offsets = from === null || from.offset === to.offset ? to.offset : `${from.offset} → ${to.offset}`
  return `${new Date(at).toISOString().slice(0, 19)}Z  ${how}  ${offsets}  by ${by}`
}

/** The checkpoint that a look read. */
export function lookedCheckpoint({ position }: LookResult): ShownCheckpoint | null {
  if (position === null) return null
  const { clusterId, offset, generation, timestamp, state, halt } = position
  return { clusterId, offset, generation, at: timestamp * 1_000, state, halt }
}

/** The log, as far as a look after the inspection knows it. @param passed seconds since the inspection */
export function lookedLog(
  { range, clusterId, position }: LookResult,
  inspection: Inspection | null,
  passed: number,
): ShownLog {
  const known = inspection === null ? null : shownLog(inspection)
  const isSame = known !== null && known.clusterId === clusterId
  const { stored = null, secondsUntilLoss = null } = inspection ?? {}
  // The broker may have dropped as much of the log as time passed.
  const reserve =
    !isSame || secondsUntilLoss === null || position === null || stored === null
      ? null
      : secondsUntilLoss + position.timestamp - stored.timestamp - Math.ceil(passed)
  return {
    clusterId,
    earliest: range.earliest,
    end: range.end,
    times: isSame ? known.times : null,
    reserve,
    isBounded: true,
  }
}
