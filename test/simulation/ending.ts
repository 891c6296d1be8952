import type { Checkpoint } from '../../lib/checkpoint/types.ts'
import type { Checker } from './checker.ts'
import type { Scenario } from './scenario.ts'

interface Facts {
  readonly checker: Checker
  readonly scenario: Scenario
  readonly trimmed: boolean
  readonly spurious: boolean
}

/** Whether something in the world calls for the halt that the stream ended with. */
export function haltIsJustified({ halt, offset }: Checkpoint, facts: Facts): boolean {
  const { checker, scenario, trimmed, spurious } = facts
  const { config, entries, functions, rates } = scenario
  // Where there is no queue, what would go there halts the stream.
  const homeless = config.deadLetterQueueUrl === undefined
  const halting = functions.filter(({ delivery }) => delivery.onFailure === 'halt' || homeless)
  const here = entries.find((entry) => entry.offset >= offset && entry.kind === 'change')
  switch (halt?.code) {
    case 'DATA_GAP':
      return trimmed || spurious
    case 'LOG_CHANGED':
      return checker.swapped || spurious || checker.damaged
    case 'BATCH_CORRUPT':
      return rates.fetchFails > 0
    case 'TABLE_UNROUTED':
      return config.unroutedTables === 'halt' && here?.unrouted === true
    case 'DEAD_LETTER_BREAKER':
      return checker.deadLetters >= 20
    case 'DEAD_LETTER_FAILED':
      return (
        config.deadLetterBucket === undefined && entries.some(({ value }) => (value?.length ?? 0) > 100_000)
      )
    case 'RECORD_INVALID':
      return homeless && entries.some(({ kind }) => kind === 'unreadable')
    case 'EVENT_TOO_LARGE':
      return (halting.length > 0 || homeless) && entries.some(({ tooLarge }) => tooLarge)
    case 'HANDLER_FAILED':
      return halting.some(({ name }) =>
        (checker.functions.get(name)?.failures ?? []).some((count) => count > 0),
      )
    default:
      return false
  }
}
