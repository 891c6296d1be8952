import { type Checkpoint, type Halt, haltOf } from '../../checkpoint/types.ts'
import { Router } from '../../dispatch/routes.ts'
import type { NextStep } from '../../errors.ts'
import type { Stream } from '../../kafka/stream.ts'
import { glance, isDamage } from '../../log/scan.ts'
import { describeFault } from './checks.ts'
import { type Advice, afterFault, type Setup } from './setup.ts'

/**
 * What ends the halt of a stream whose position fits the log. A resume is not recommended if the examination shows that
 * the stream would halt again.
 */
export async function adviseHalted(stored: Checkpoint, stream: Stream, setup: Setup): Promise<Advice> {
  const halt = haltOf(stored)
  if (halt === null) return resume('The stream is halted, and the checkpoint does not say why.')
  switch (halt.code) {
    case 'PAUSED':
      return resume(`${halt.message} Position and log agree. Resume when the stream may continue.`)
    case 'BATCH_CORRUPT':
    case 'BATCH_TOO_LARGE':
      return await adviseDamaged(stored, halt, stream)
    case 'EVENT_TOO_LARGE':
    case 'RECORD_INVALID':
      return advisePutAside(stored, halt, setup)
    case 'HANDLER_FAILED':
    case 'ROW_INVALID':
    case 'COLUMN_UNKNOWN':
    case 'CONDITION_INVALID':
    case 'MASK_FAILED':
      return adviseRefused(halt)
    case 'COLUMNS_CHANGED':
      return resume(
        `${halt.message} A resume accepts these columns. If a handler of the table cannot work with them, first change it and deploy.`,
      )
    case 'TABLE_UNROUTED':
      return adviseUnrouted(halt, setup)
    case 'DEAD_LETTER_BREAKER':
      return resume(
        'Many changes became dead letters within a short time. First correct the handler and deploy: a resume resets the ' +
          'count, and the same handler halts the stream again. The changes wait in the dead-letter queue.',
        [{ action: 'redrive' }],
      )
    default:
      return resume(
        `Position and log agree. The stream halted with ${halt.code}; while its cause lasts, it halts again after a resume.`,
      )
  }
}

/** Tries to read the batch: recovery has the same limits as the poller, so it fails where the poller fails. */
async function adviseDamaged(stored: Checkpoint, { facts }: Halt, stream: Stream): Promise<Advice> {
  const place = offsetOf(facts.offset)
  const offset = place === null || place < stored.offset ? stored.offset : place
  try {
    await stream.fetch(offset, glance)
  } catch (error) {
    if (!isDamage(error)) throw error
    const nextOffset = offsetOf(facts.nextOffset)
    return afterFault(
      `Reading at offset ${offset} was tried and still fails, so a resume would halt there again. ${describeFault(error)}`,
      nextOffset === null ? [] : [passStep(nextOffset, 'skip the batch and lose what it holds')],
    )
  }
  return resume(`Reading at offset ${offset} was tried and works now.`)
}

/** For a record that goes to the dead-letter queue, if there is one and its table does not choose to halt. */
function advisePutAside({ offset: stored }: Checkpoint, halt: Halt, { routes, hasQueue }: Setup): Advice {
  const route = Object.values(routes).find(({ functionName }) => functionName === halt.facts.function)
  if (hasQueue && route?.onFailure !== 'halt')
    return resume(`A resume puts the record ${at(halt)} into the dead-letter queue, which is configured now.`)
  const offset = offsetOf(halt.facts.offset)
  const again = `A resume halts the stream ${at(halt)} again: that record cannot be handled, and no dead-letter queue takes it.`
  if (offset === null || stored < offset)
    return resume(
      `${again} But the stored offset is ${stored}, so other functions have not reached it yet. Resume until inspect shows ` +
        `offset ${offset ?? 'of the halt'} as stored. Then the record can be skipped.`,
    )
  return {
    advice: `${again} See what it changes and copy the affected rows from the source. Then skip it: this loses that record.`,
    next: [passStep(offset + 1n, 'skip that record and lose it')],
  }
}

function adviseUnrouted(halt: Halt, { routes, unroutedTables, ghostTables }: Setup): Advice {
  const { table } = halt.facts
  const routing =
    typeof table === 'string' ? new Router(routes, ghostTables).routesFor(table, () => null) : null
  if (routing !== null && routing.routes.length > 0)
    return resume('The table that had no function has one now.')
  if (routing?.leftOut === 'excluded' || routing?.leftOut === 'ghost')
    return resume('A rule leaves that table out now.')
  if (unroutedTables === 'skip') return resume('UNROUTED_TABLES is skip now, which leaves that table out.')
  return afterFault(
    `The table of the change ${at(halt)} has no function, and UNROUTED_TABLES is halt, so a resume would halt there again. ` +
      'Add a handler for it, or set UNROUTED_TABLES to skip, and deploy.',
  )
}

function resume(advice: string, others: readonly NextStep[] = []): Advice {
  return { advice, next: [{ action: 'resume' }, ...others] }
}

/** For a change that the handler failed at. It may also be one that no version of the handler should take. */
function adviseRefused(halt: Halt): Advice {
  const again =
    `A resume sends the change ${at(halt)} again, and the same handler halts the stream there again: first correct the ` +
    'handler and deploy.'
  const offset = offsetOf(halt.facts.offset)
  if (offset === null) return resume(again)
  return resume(
    `${again} If no handler can take the change, process it by hand. Once inspect shows offset ${offset} as stored, it can ` +
      'be skipped.',
    [passStep(offset + 1n, 'skip that change and lose it to this stream')],
  )
}

/** @param to the first offset after what is skipped */
function passStep(to: bigint, purpose: string): NextStep {
  return { action: 'reset', to: { offset: String(to) }, acceptLoss: true, purpose }
}

function at({ facts }: Halt): string {
  const offset = offsetOf(facts.offset)
  return offset === null ? 'that the halt names' : `at offset ${offset}`
}

function offsetOf(fact: unknown): bigint | null {
  return typeof fact === 'string' && /^\d+$/.test(fact) ? BigInt(fact) : null
}
