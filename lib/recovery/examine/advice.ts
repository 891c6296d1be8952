import { isLeaseTooLong, leaseTooLong } from '../../checkpoint/lease-limits.ts'
import type { Checkpoint, Trouble } from '../../checkpoint/types.ts'
import { functionOfLane } from '../../dispatch/function-queue.ts'
import { DtsError, type NextStep } from '../../errors.ts'
import type { Stream } from '../../kafka/stream.ts'
import { type FirstStart, firstOffset } from '../../log/first-start.ts'
import { otherDeployment, sharedGroup } from '../../log/group.ts'
import { compareWith, type Survey } from '../../log/survey.ts'
import { formatTime } from '../../time.ts'
import { type ChosenPlace, choosePlace } from '../move/choose-place.ts'
import type { SearchLimits } from '../move/plan-move.ts'
import type { Refusal } from '../move/refusal.ts'
import { resolveTarget } from '../move/target.ts'
import type { Check } from './checks.ts'
import { adviseHalted } from './halted.ts'
import { deliveryCheck } from './preflight.ts'
import { type Advice, afterFault, type Setup } from './setup.ts'
import { failing } from './trouble.ts'

/** For a stream without a checkpoint: the poller starts it by itself, or the advice says why it refuses to. */
export async function adviseFirstStart(
  start: FirstStart,
  stream: Stream,
  checks: readonly Check[],
): Promise<Advice> {
  try {
    await firstOffset(start, stream)
    const begins = 'Nothing was read yet; the poller starts at DTS_CHECKPOINT by itself.'
    const wrong = faultsOf(checks)
    return wrong === '' ? { advice: begins, next: [] } : afterFault(`${begins} ${wrong}`)
  } catch (error) {
    if (!(error instanceof DtsError)) throw error
    // Before the steps for a shared group, a person has to look at the other deployment.
    return error.code === 'GROUP_SHARED' ? afterFault(error.message, error.next) : stepsFirst(error)
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
  // Every other action needs the lease.
  if (isLeaseTooLong(stored, now)) return adviceOf(leaseTooLong(stored))
  const target = resolveTarget(undefined, stored, survey)
  if (target.kind === 'refusal') return adviseRefused(target)
  const comparison = await compareWith(survey, stream, limits.mayContinue)
  const chosen = choosePlace({ target, read: stored, survey, comparison, now })
  const found =
    chosen.kind === 'refusal' ? adviseRefused(chosen) : await adviseChosen(chosen, stored, stream, setup)
  const other = otherDeployment(survey.group)
  // The check of the consumer group may have said this already.
  if (other === null || found.advice.includes(sharedGroup(other))) return found
  return { ...found, advice: `${found.advice} ${sharedGroup(other)}` }
}

function adviceOf({ message, next }: DtsError): Advice {
  return { advice: message, next }
}

/** A reset without `to` would be refused. */
function adviseRefused({ error }: Refusal): Advice {
  // The search of this examination was too long, so that of a reset would be, too.
  const isUseless = ({ action }: NextStep) => error.code === 'SEARCH_UNFINISHED' && action === 'reset'
  return stepsFirst({ message: error.message, next: error.next.filter((step) => !isUseless(step)) })
}

/** A fault that names its remedy. Only without one, the advice is to look again. */
function stepsFirst({ message, next }: Pick<DtsError, 'message' | 'next'>): Advice {
  return next.length > 0 ? { advice: message, next } : afterFault(message)
}

/** @param chosen where a reset without `to` would go */
async function adviseChosen(
  { safe, lanes }: ChosenPlace,
  stored: Checkpoint,
  stream: Stream,
  setup: Setup,
): Promise<Advice> {
  switch (safe?.how) {
    case 'anchor':
      return {
        advice:
          safe.exact && lanes.forgottenUntil === -1
            ? 'The log changed, and the last committed change is in the new one: a reset loses and repeats nothing.'
            : 'The log changed, and the last committed change is in the new one: a reset loses nothing; some changes repeat.',
        next: [{ action: 'reset' }],
      }
    case 'time':
      return {
        advice:
          'The log changed, and the last committed change is not in the new one: a reset loses nothing; some changes repeat.',
        next: [{ action: 'reset' }],
      }
    case 'gap':
      return {
        advice:
          `Changes from ${formatTime(safe.lost.from)} to ${formatTime(safe.lost.to)} can no longer be read. Copy the affected ` +
          'rows from the source, then accept the loss.',
        next: [{ action: 'reset', acceptLoss: true, purpose: 'accept the loss and move the checkpoint' }],
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
    return afterFault(error.message, error.next)
  }
}

/** For a running stream whose position fits the log. */
function adviseRunning({ lanes }: Checkpoint, { checks, routes, hasQueue }: Setup): Advice {
  const wrong = faultsOf(checks)
  const failures = Object.entries(lanes).flatMap(([lane, { trouble }]) =>
    failing(trouble) ? [adviseFailing(lane, trouble, routes, hasQueue)] : [],
  )
  const [forFailures = []] = failures.map(({ next }) => next).filter(({ length }) => length > 0)
  // If functions fail, `failures` says more than the check of delivery.
  const noticed = checks.filter(
    ({ name, result }) => result === 'attention' && (failures.length === 0 || name !== deliveryCheck),
  )
  const said = [
    ...(wrong === '' ? [] : [wrong]),
    ...failures.map(({ advice }) => advice),
    ...noticed.map(sentence),
  ]
  if (said.length === 0)
    return {
      advice: 'Position and log agree, and every line of the examination is ok: nothing to do.',
      next: [],
    }
  const advice = `Position and log agree. ${said.join(' ')}`
  if (wrong !== '') return afterFault(advice, stepsOf(checks))
  return { advice, next: [...forFailures, ...noticed.flatMap(({ next }) => next)] }
}

/** A fault of the set-up must not be missed beside a halt. */
function withFaults({ advice, next }: Advice, checks: readonly Check[]): Advice {
  const wrong = faultsOf(checks)
  return { advice: wrong === '' ? advice : `${advice} ${wrong}`, next }
}

function stepsOf(checks: readonly Check[]): NextStep[] {
  return checks.filter(({ result }) => result === 'failed').flatMap(({ next }) => next)
}

function faultsOf(checks: readonly Check[]): string {
  const failed = checks.filter(({ result }) => result === 'failed')
  return failed.length === 0 ? '' : `Not all checks passed. ${failed.map(sentence).join(' ')}`
}

function sentence({ name, detail }: Check): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}: ${detail}${detail.endsWith('.') ? '' : '.'}`
}

const correctHandler = { action: 'deploy', change: 'Correct the handler' } as const
const redriveLater = {
  action: 'redrive',
  purpose: 'send its dead letters again then, if there are any',
} as const

/** The checkpoint stores which function fails and since when. Its error is only in the log of the function. */
function adviseFailing(
  lane: string,
  { offset, attempts, since, outages = 0 }: Trouble,
  routes: Setup['routes'],
  hasQueue: boolean,
): Advice {
  const name = functionOfLane(lane)
  const begun = new Date(since).toISOString()
  const route = Object.values(routes).find(({ functionName }) => functionName === name)
  if (route === undefined) {
    const advice =
      `${name} failed at offset ${offset} since ${begun}, and no route of this deployment names it: its changes go where the ` +
      'current routes send their tables.'
    return { advice, next: [] }
  }
  if (attempts === 0) {
    const advice =
      `${name} could not be run ${outages} time(s) since ${begun}, at offset ${offset}: its changes wait until it runs ` +
      `again, and none becomes a dead letter. The poller's log has the reason.`
    return { advice, next: [] }
  }
  const halts = route.onFailure === 'halt' || !hasQueue
  const afterwards = halts
    ? 'then the stream halts there'
    : 'then it goes to the dead-letter queue and the stream continues'
  const advice =
    `${name} fails at offset ${offset} since ${begun}: ${attempts} of ${route.attempts} attempts failed. The change is ` +
    `tried again until those are used up, or for ${route.maxAgeSeconds} s; ${afterwards}. Its error is in the ` +
    `function's log (/aws/lambda/${name}), by that offset. Correct the handler and deploy.`
  return { advice, next: halts ? [correctHandler] : [correctHandler, redriveLater] }
}
