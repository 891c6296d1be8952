import { isLeaseTooLong, leaseTooLong } from '../../checkpoint/lease-limits.ts'
import type { Checkpoint, Trouble } from '../../checkpoint/types.ts'
import { functionOfLane } from '../../dispatch/function-queue.ts'
import { DtsError } from '../../errors.ts'
import type { Stream } from '../../kafka/stream.ts'
import { firstOffset } from '../../log/first-start.ts'
import { otherDeployment, sharedGroup } from '../../log/group.ts'
import { compareWith, type Survey } from '../../log/survey.ts'
import { recoveryCommand } from '../../recovery-command.ts'
import { formatTime } from '../../time.ts'
import { type ChosenPlace, choosePlace } from '../move/choose-place.ts'
import type { SearchLimits } from '../move/plan-move.ts'
import type { Refusal } from '../move/refusal.ts'
import { resolveTarget } from '../move/target.ts'
import { adviseHalted } from './halted.ts'
import { type Check, deadLetterCheck, deliveryCheck } from './preflight.ts'
import { type Advice, afterFault, type Setup } from './setup.ts'
import { failing } from './trouble.ts'

/** For a stream without a checkpoint: it begins by itself, or what the poller refuses it with. */
export async function adviseFirstStart(
  startTime: number | undefined,
  stream: Stream,
  checks: readonly Check[],
): Promise<Advice> {
  try {
    await firstOffset(startTime, stream)
    const begins = 'Nothing was read yet; the poller starts at DTS_CHECKPOINT by itself.'
    const wrong = faultsOf(checks)
    return wrong === '' ? { advice: begins, command: null } : afterFault(`${begins} ${wrong}`)
  } catch (error) {
    if (!(error instanceof DtsError)) throw error
    const wasRead = error.facts.committed !== undefined
    return wasRead
      ? { advice: error.message, command: recoveryCommand('{"action":"reset","to":"committed"}') }
      : afterFault(error.message)
  }
}

/** For a stream that was read before. */
export async function advise(
  stored: Checkpoint,
  stream: Stream,
  setup: Setup,
  survey: Survey,
  limits: SearchLimits,
): Promise<Advice> {
  const now = limits.now()
  // Every other action takes the lease.
  if (isLeaseTooLong(stored, now))
    return { advice: leaseTooLong(stored).message, command: recoveryCommand('{"action":"release"}') }
  const target = resolveTarget(undefined, stored, survey)
  if (target.kind === 'refusal') return adviseRefused(target)
  const comparison = await compareWith(survey, stream, limits.mayContinue)
  const chosen = choosePlace({ target, read: stored, survey, comparison, now })
  const found =
    chosen.kind === 'refusal' ? adviseRefused(chosen) : await adviseChosen(chosen, stored, stream, setup)
  const other = otherDeployment(survey.group)
  // The examination of a stream that runs names the other deployment too.
  if (other === null || found.advice.includes(sharedGroup(other))) return found
  return { ...found, advice: `${found.advice} ${sharedGroup(other)}` }
}

/** A reset without `to` would be refused. */
function adviseRefused({ reason, error }: Refusal): Advice {
  return reason === 'restored'
    ? { advice: error.message, command: recoveryCommand('{"action":"reset","to":"committed"}') }
    : afterFault(error.message)
}

/** @param chosen where a reset without `to` would go */
async function adviseChosen(
  { safe, lanes }: ChosenPlace,
  stored: Checkpoint,
  stream: Stream,
  setup: Setup,
): Promise<Advice> {
  const command = recoveryCommand('{"action":"reset"}')
  switch (safe?.how) {
    case 'anchor':
      return {
        advice:
          safe.exact && lanes.forgottenUntil === -1
            ? 'The log changed, and the last committed change is in the new one: a reset loses and repeats nothing.'
            : 'The log changed, and the last committed change is in the new one: a reset loses nothing; some changes repeat.',
        command,
      }
    case 'time':
      return {
        advice:
          'The log changed, and the last committed change is not in the new one: a reset loses nothing; some changes repeat.',
        command,
      }
    case 'gap':
      return {
        advice:
          `Changes from ${formatTime(safe.lost.from)} to ${formatTime(safe.lost.to)} can no longer be read. Copy the affected ` +
          'rows from the source, then accept the loss.',
        command: recoveryCommand('{"action":"reset","acceptLoss":true}'),
      }
    default:
      return await adviseSameLog(stored, stream, setup)
  }
}

async function adviseSameLog(stored: Checkpoint, stream: Stream, setup: Setup): Promise<Advice> {
  if (stored.state === 'RUNNING') return adviseRunning(stored, setup)
  try {
    return withFaults(await adviseHalted(stored, stream, setup), setup.checks)
  } catch (error) {
    if (!(error instanceof DtsError)) throw error
    return afterFault(error.message)
  }
}

/** Of a stream that runs, from the log that its position belongs to. */
function adviseRunning({ lanes }: Checkpoint, { checks, routes, hasQueue }: Setup): Advice {
  const wrong = faultsOf(checks)
  const failures = Object.entries(lanes).flatMap(([lane, { trouble }]) =>
    failing(trouble) ? [adviseFailing(lane, trouble, routes, hasQueue)] : [],
  )
  // The line on delivery says of failing functions what is said here at length.
  const noticed = checks.filter(
    ({ name, result }) => result === 'attention' && (failures.length === 0 || name !== deliveryCheck),
  )
  const said = [...(wrong === '' ? [] : [wrong]), ...failures, ...noticed.map(sentence)]
  if (said.length === 0)
    return {
      advice: 'Position and log agree, and every line of the examination is ok: nothing to do.',
      command: null,
    }
  const advice = `Position and log agree. ${said.join(' ')}`
  if (wrong !== '') return afterFault(advice)
  const lettersAlone = failures.length === 0 && noticed.every(({ name }) => name === deadLetterCheck)
  return { advice, command: lettersAlone ? recoveryCommand('{"action":"redrive","dryRun":true}') : null }
}

/** What else is wrong must not be missed beside a halt. */
function withFaults({ advice, command }: Advice, checks: readonly Check[]): Advice {
  const wrong = faultsOf(checks)
  return { advice: wrong === '' ? advice : `${advice} ${wrong}`, command }
}

function faultsOf(checks: readonly Check[]): string {
  const failed = checks.filter(({ result }) => result === 'failed')
  return failed.length === 0 ? '' : `Not all is well. ${failed.map(sentence).join(' ')}`
}

function sentence({ name, detail }: Check): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}: ${detail}${detail.endsWith('.') ? '' : '.'}`
}

/** The checkpoint keeps that a function fails and since when; what it failed with stands in its log alone. */
function adviseFailing(
  lane: string,
  { offset, attempts, since, outages = 0 }: Trouble,
  routes: Setup['routes'],
  hasQueue: boolean,
): string {
  const name = functionOfLane(lane)
  const begun = new Date(since).toISOString()
  const route = Object.values(routes).find(({ functionName }) => functionName === name)
  if (route === undefined) {
    return (
      `${name} failed at offset ${offset} since ${begun}, and no route of this deployment names it: its changes go where the ` +
      'routes of now send their tables.'
    )
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
    `tried again until those are used up, or for ${route.maxAgeSeconds} s; ${givenUp}. Its error is in the ` +
    `function's log (/aws/lambda/${name}), by that offset. Correct the handler and deploy; what was given up by then comes ` +
    `again by ${recoveryCommand('{"action":"redrive"}')}.`
  )
}
