import type { Halt } from '../../lib/checkpoint/types.ts'
import type { Facts } from './facts.ts'

/** Whether a world of one log contains the reason of the halt that the stream ended with. */
export function haltIsJustified(halt: Halt | null, facts: Facts): boolean {
  const { functions, scenario, damaged } = facts
  const { config, entries, rates } = scenario
  // Without a dead-letter queue, a change that would go there halts the stream.
  const hasNoQueue = config.deadLetterQueueUrl === undefined
  const halting = [...functions.values()].filter(
    ({ definition }) => definition.delivery.onFailure === 'halt' || hasNoQueue,
  )
  const place = facts.coverage?.below ?? 0
  const here = entries.find(({ index, kind }) => index >= place && kind === 'change')
  switch (halt?.code) {
    case 'DATA_GAP':
      return facts.trimmed || facts.spurious
    case 'CHECKPOINT_RESTORED':
      return damaged
    case 'LOG_CHANGED':
      return facts.spurious || damaged
    case 'BATCH_CORRUPT':
      return rates.fetchFails > 0 || rates.damagedWindow > 0
    case 'BATCH_TOO_LARGE':
      return rates.hugeWindow > 0
    case 'TABLE_UNROUTED':
      return config.unroutedTables === 'halt' && here?.unrouted === true
    case 'DEAD_LETTER_BREAKER':
      return facts.deadLetters >= 20
    case 'DEAD_LETTER_FAILED':
      return (
        config.deadLetterBucket === undefined && entries.some(({ tooLarge, isLarge }) => tooLarge || isLarge)
      )
    case 'RECORD_INVALID':
      return hasNoQueue && scenario.unreadable.length > 0
    case 'EVENT_TOO_LARGE':
      return (halting.length > 0 || hasNoQueue) && entries.some(({ tooLarge }) => tooLarge)
    case 'HANDLER_FAILED':
      return halting.some(({ failures }) => failures.some((count) => count > 0))
    default:
      return false
  }
}
