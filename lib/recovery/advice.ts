import type { Checkpoint } from '../checkpoint/types.ts'
import { DtsError } from '../errors.ts'
import { firstOffset } from '../first-start.ts'
import type { Stream } from '../kafka/stream.ts'
import { recoveryCommand } from '../recovery-command.ts'
import { formatTime } from '../time.ts'
import { assess } from './assess.ts'
import type { Check } from './preflight.ts'

export interface Advice {
  /** What to do now, for people. */
  readonly advice: string
  /** The command that does it; null when there is nothing to run. */
  readonly command: string | null
}

/** @param advice what is at fault, and how it is mended; afterwards the same question is asked again */
export function afterFault(advice: string): Advice {
  return { advice, command: recoveryCommand('{"action":"inspect"}') }
}

/** For a stream without a checkpoint: it begins by itself, or what the poller refuses it with. */
export async function adviseFirstStart(startTime: number | undefined, stream: Stream): Promise<Advice> {
  try {
    await firstOffset(startTime, stream)
    return { advice: 'Nothing was read yet; the poller starts at DTS_CHECKPOINT by itself.', command: null }
  } catch (error) {
    if (!(error instanceof DtsError)) throw error
    const wasRead = error.facts.committed !== undefined
    return wasRead
      ? { advice: error.message, command: recoveryCommand('{"action":"reset","to":"committed"}') }
      : afterFault(error.message)
  }
}

/** For a stream that was read before. */
export async function advise(stored: Checkpoint, stream: Stream, checks: readonly Check[]): Promise<Advice> {
  try {
    const { safe, lead } = await assess(stored, stream)
    switch (safe.how) {
      case 'stored':
        return stored.state === 'RUNNING'
          ? adviseRunning(checks)
          : {
              advice: `Position and log agree. Once the cause of the halt (${stored.halt?.code}) is cured, resume.`,
              command: recoveryCommand('{"action":"resume"}'),
            }
      case 'anchor':
        return {
          advice:
            safe.exact && lead.forgottenUntil === -1
              ? 'The log changed, and the last committed change is in the new one: a reset loses and repeats nothing.'
              : 'The log changed, and the last committed change is in the new one: a reset loses nothing; some changes repeat.',
          command: recoveryCommand('{"action":"reset"}'),
        }
      case 'time':
        return {
          advice:
            'The log changed, and the last committed change is not in the new one: a reset loses nothing; some changes repeat.',
          command: recoveryCommand('{"action":"reset"}'),
        }
      case 'gap':
        return {
          advice:
            `Changes from ${formatTime(safe.lost.from)} to ${formatTime(safe.lost.to)} can no longer be read. Copy the affected ` +
            'rows from the source, then accept the loss.',
          command: recoveryCommand('{"action":"reset","acceptLoss":true}'),
        }
    }
  } catch (error) {
    if (!(error instanceof DtsError)) throw error
    return afterFault(error.message)
  }
}

function adviseRunning(checks: readonly Check[]): Advice {
  const failed = checks.find(({ result }) => result === 'failed')
  return failed === undefined
    ? { advice: 'Position and log agree; nothing to do.', command: null }
    : afterFault(`Position and log agree, but not all is well (${failed.name}). ${failed.detail}`)
}
