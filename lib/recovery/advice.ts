import type { Checkpoint, Trouble } from '../checkpoint/types.ts'
import type { Route } from '../dispatch/settings.ts'
import { DtsError } from '../errors.ts'
import { firstOffset } from '../first-start.ts'
import type { Stream } from '../kafka/stream.ts'
import { recoveryCommand } from '../recovery-command.ts'
import { formatTime } from '../time.ts'
import { assess, type Look } from './assess.ts'
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

/** What the set-up says of the functions and of what becomes of a change that is given up. */
export interface Setup {
  readonly checks: readonly Check[]
  readonly routes: Readonly<Record<string, Route>>
  readonly hasQueue: boolean
}

/** For a stream that was read before. */
export async function advise(stored: Checkpoint, stream: Stream, setup: Setup, look: Look): Promise<Advice> {
  try {
    const { safe, lead } = await assess(stored, stream, look)
    switch (safe.how) {
      case 'stored':
        return stored.state === 'RUNNING'
          ? adviseRunning(stored, setup)
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

function adviseRunning(stored: Checkpoint, { checks, routes, hasQueue }: Setup): Advice {
  const failed = checks.find(({ result }) => result === 'failed')
  if (failed !== undefined)
    return afterFault(`Position and log agree, but not all is well (${failed.name}). ${failed.detail}`)
  const failures = Object.entries(stored.lanes).flatMap(([lane, { trouble }]) =>
    failing(trouble) ? [adviseFailing(lane, trouble, routes, hasQueue)] : [],
  )
  return failures.length === 0
    ? { advice: 'Position and log agree; nothing to do.', command: null }
    : { advice: `Position and log agree. ${failures.join(' ')}`, command: null }
}

/** Whether changes wait to be tried again; a batch that was made smaller and grows back is no failure. */
export function failing(trouble: Trouble | null): trouble is Trouble {
  return trouble !== null && (trouble.attempts > 0 || (trouble.outages ?? 0) > 0)
}

/** A lane is a function, or one part of it by primary key. */
function functionOf(lane: string): string {
  return lane.replace(/#\d+\/\d+$/, '')
}

/** The checkpoint keeps that a function fails and since when; what it failed with stands in its log alone. */
function adviseFailing(
  lane: string,
  { offset, attempts, since, outages = 0 }: Trouble,
  routes: Setup['routes'],
  hasQueue: boolean,
): string {
  const name = functionOf(lane)
  const begun = new Date(since).toISOString()
  const route = Object.values(routes).find(({ functionName }) => functionName === name)
  if (route === undefined) {
    return `${name} failed at offset ${offset} since ${begun} and has no route any more; what the new routes say holds.`
  }
  if (attempts === 0) {
    return (
      `${name} could not be run ${outages} time(s) since ${begun}, at offset ${offset}: its changes wait as long as it ` +
      `takes, and none is given up. The poller's log has the reason.`
    )
  }
  const givenUp =
    route.onFailure === 'halt' || !hasQueue
      ? 'then the stream halts there'
      : 'then it goes to the dead-letter queue and the stream goes on'
  return (
    `${name} fails at offset ${offset} since ${begun}: ${attempts} of ${route.attempts} attempts are made. The change is ` +
    `tried again until those are used up, or for ${route.maxAgeSeconds} s; ${givenUp}. What it fails with stands in the ` +
    `function's log (/aws/lambda/${name}), by that offset. Mend the handler and deploy; what was given up by then comes ` +
    `again by ${recoveryCommand('{"action":"redrive"}')}.`
  )
}
