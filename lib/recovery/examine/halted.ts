import { type Checkpoint, type Halt, haltOf } from '../../checkpoint/types.ts'
import { Router } from '../../dispatch/routes.ts'
import type { Stream } from '../../kafka/stream.ts'
import { glance, isDamage } from '../../log/scan.ts'
import { recoveryCommand } from '../../recovery-command.ts'
import { describeFault } from './preflight.ts'
import { type Advice, afterFault, type Setup } from './setup.ts'

/**
 * For a halted stream whose position fits the log: what ends the halt. A resume is recommended only where it was not
 * found that it would halt again.
 */
export async function adviseHalted(stored: Checkpoint, stream: Stream, setup: Setup): Promise<Advice> {
  const halt = haltOf(stored)
  if (halt === null) return resume('The stream is halted, and the checkpoint does not say why.')
  switch (halt.code) {
    case 'PAUSED':
      return resume(`${halt.message} Position and log agree. Resume when the stream may read on.`)
    case 'BATCH_CORRUPT':
    case 'BATCH_TOO_LARGE':
      return await adviseDamaged(stored, halt, stream)
    case 'EVENT_TOO_LARGE':
    case 'RECORD_INVALID':
      return advisePutAside(stored, halt, setup)
    case 'HANDLER_FAILED':
    case 'ROW_INVALID':
      return resume(
        `A resume sends the change ${at(halt)} again, and the same handler halts the stream there again: first correct the ` +
          `handler and deploy. ${passing(halt)}`,
      )
    case 'TABLE_UNROUTED':
      return adviseUnrouted(halt, setup)
    case 'DEAD_LETTER_BREAKER':
      return resume(
        'Many changes were given up at once. First correct the handler and deploy: a resume counts anew, and the same handler ' +
          `halts the stream again. What was given up waits in the dead-letter queue: ${recoveryCommand('{"action":"redrive"}')}`,
      )
    default:
      return resume(
        `Position and log agree. The stream halted with ${halt.code}; while its cause lasts, it halts again after a resume.`,
      )
  }
}

/** Reading is tried here: what fails for recovery fails for the poller, which has the same limits. */
async function adviseDamaged(stored: Checkpoint, { facts }: Halt, stream: Stream): Promise<Advice> {
  const place = offsetOf(facts.offset)
  const offset = place === null || place < stored.offset ? stored.offset : place
  try {
    await stream.fetch(offset, glance)
  } catch (error) {
    if (!isDamage(error)) throw error
    const behind = offsetOf(facts.nextOffset)
    const pass =
      behind === null
        ? ''
        : ` To pass it, and lose what it holds: ${recoveryCommand(`{"action":"reset","to":{"offset":"${behind}"},"acceptLoss":true}`)}`
    return afterFault(
      `Reading at offset ${offset} was tried and fails now, too, so that a resume would halt there again. ` +
        `${describeFault(error)}${pass}`,
    )
  }
  return resume(`Reading at offset ${offset} was tried and works now.`)
}

/** What the dead-letter queue takes, where there is one and the table's handler does not choose to halt. */
function advisePutAside({ offset: stored }: Checkpoint, halt: Halt, { routes, hasQueue }: Setup): Advice {
  const route = Object.values(routes).find(({ functionName }) => functionName === halt.facts.function)
  if (hasQueue && route?.onFailure !== 'halt')
    return resume(`A resume puts the record ${at(halt)} into the dead-letter queue, which is configured now.`)
  const offset = offsetOf(halt.facts.offset)
  const again = `A resume halts the stream ${at(halt)} again: that record cannot be handled, and there is no dead-letter queue for it.`
  if (offset === null || stored < offset)
    return resume(
      `${again} But the stored offset is ${stored}, so that other functions have yet to get there: resume, until inspect shows ` +
        `offset ${offset ?? 'of the halt'} as stored. Then the record can be passed.`,
    )
  return {
    advice: `${again} See what it changes and copy the affected rows from the source, then pass it: this loses that record.`,
    command: recoveryCommand(passBy(offset)),
  }
}

function adviseUnrouted(halt: Halt, { routes, unroutedTables }: Setup): Advice {
  const { table } = halt.facts
  const routing = typeof table === 'string' ? new Router(routes).routesFor(table, () => null) : null
  if (routing !== null && routing.routes.length > 0)
    return resume('The table that had no function has one now.')
  if (routing?.leftOut === 'excluded' || routing?.leftOut === 'ghost')
    return resume('A rule leaves that table out now.')
  if (unroutedTables === 'skip') return resume('UNROUTED_TABLES is skip now, which leaves that table out.')
  return afterFault(
    `The table of the change ${at(halt)} has no function, and UNROUTED_TABLES is halt, so that a resume would halt there ` +
      'again. Add a handler for it, or set UNROUTED_TABLES to skip, and deploy.',
  )
}

function resume(advice: string): Advice {
  return { advice, command: recoveryCommand('{"action":"resume"}') }
}

/** For a change that no version of the handler should take. */
function passing({ facts }: Halt): string {
  const offset = offsetOf(facts.offset)
  if (offset === null) return ''
  return (
    `A change that no handler can take has to be handled by hand; once inspect shows offset ${offset} as stored, ` +
    `${recoveryCommand(passBy(offset))} passes it, and loses it to this stream.`
  )
}

function passBy(offset: bigint): string {
  return `{"action":"reset","to":{"offset":"${offset + 1n}"},"acceptLoss":true}`
}

function at({ facts }: Halt): string {
  const offset = offsetOf(facts.offset)
  return offset === null ? 'that the halt names' : `at offset ${offset}`
}

function offsetOf(fact: unknown): bigint | null {
  return typeof fact === 'string' && /^\d+$/.test(fact) ? BigInt(fact) : null
}
