import { type Checkpoint, haltOf } from '../../checkpoint/types.ts'
import type { StreamConfig } from '../../config.ts'
import { DtsError, type NextStep } from '../../errors.ts'
import type { Stream } from '../../kafka/stream.ts'
import { longestSilence, silentSeconds } from '../../log/silence.ts'
import { type Finding, found } from './checks.ts'
import { describeTrouble, failing } from './trouble.ts'

/** The checks of a stream whose set-up works: whether DTS writes, and whether changes get through. */

function attention(detail: string, next: readonly NextStep[] = []): Finding<true> {
  return { detail, result: true, attention: true, next }
}

/** In seconds. A poller that runs each minute keeps a position well below this age while there is more to read. */
const lateSeconds = 300

/** @throws DtsError SOURCE_SILENT if a heartbeat was due long ago; a plain topic has no heartbeats and may be idle */
export async function checkNews(
  stream: Stream,
  mode: StreamConfig['mode'],
  now: number,
): Promise<Finding<true>> {
  const silent = await silentSeconds(stream, await stream.range(), now)
  if (silent === null) return found('unknown: no record at the end of the log has a time before now')
  const age = `the newest record is ${silent} s old`
  if (mode === 'kafka') return found(`${age}; a plain topic may be idle`)
  if (silent <= longestSilence) return found(age)
  throw new DtsError(
    'SOURCE_SILENT',
    `The newest record of any kind is ${silent} s old, and DTS writes a heartbeat about every second: the task has stopped ` +
      '(paused, expired, released), or is equally late itself. There is nothing newer to deliver. Look at the status of the task in ' +
      'the DTS console.',
    { retryable: true, facts: { seconds: silent } },
  )
}

/** Whether changes get through, for a stream whose position fits the log. */
export async function checkDelivery(
  item: Checkpoint | null,
  stream: Stream,
  now: number,
): Promise<Finding<true>> {
  if (item === null) return found('nothing was read yet')
  const { state, lanes, offset, timestamp } = item
  if (state !== 'RUNNING') {
    const halt = haltOf(item)
    const since = halt === null ? '' : ` since ${new Date(halt.at).toISOString()} (${halt.code})`
    return attention(`halted${since}`, [{ action: 'inspect', purpose: 'see what ends the halt' }])
  }
  const { end } = await stream.range()
  const seconds = Math.max(0, Math.floor(now / 1000) - timestamp)
  const lag = offset >= end ? 'at the end of the log' : `${seconds} s and ${end - offset} records behind`
  const troubles = Object.entries(lanes).flatMap(([name, { trouble }]) =>
    failing(trouble) ? [`${name}: ${describeTrouble(trouble)}`] : [],
  )
  if (troubles.length > 0) return attention(`${lag}; ${troubles.join('; ')}`)
  if (offset >= end || seconds <= lateSeconds) return found(lag)
  return attention(`${lag}. ${lateBecause(item, now)}`)
}

/** What the checkpoint shows about the reason: whether a run is at work, and which functions are ahead. */
function lateBecause({ lanes, leaseUntil }: Checkpoint, now: number): string {
  const ahead = Object.entries(lanes).flatMap(([name, { through }]) => (through === null ? [] : [name]))
  const slow =
    ahead.length === 0
      ? ''
      : ` ${ahead.join(', ')} got further than that: one of the other functions is slow.`
  const work =
    leaseUntil !== null && leaseUntil > now
      ? 'A run is at work.'
      : 'No run is at work now. If that lasts, look at the schedule and at "Poll failed" in the poller\'s log.'
  return (
    `${work}${slow} If the lag grows, the dashboard shows where the time goes (FetchTime, HandlerTime): make that function ` +
    'faster, or raise its "concurrency" or the memory of the functions, and deploy.'
  )
}
