import { type Checkpoint, haltOf } from '../../checkpoint/types.ts'
import type { StreamConfig } from '../../config.ts'
import { DtsError } from '../../errors.ts'
import type { Stream } from '../../kafka/stream.ts'
import { longestSilence, silentSeconds } from '../../log/silence.ts'
import { recoveryCommand } from '../../recovery-command.ts'
import { describeTrouble, failing } from './trouble.ts'

/** Lines of the examination that say how the stream does, where the set-up works. */

/** What a line found: its text, what later lines need of it, and whether a person should look. */
export type Finding<Result> = readonly [detail: string, result: Result, attention?: 'attention']

/** A position older than this, in seconds, while there is more to read: a run of every minute keeps well below it. */
const lateSeconds = 300

/** @throws DtsError SOURCE_SILENT where a heartbeat was due long ago; a plain topic has none, and may rest */
export async function checkNews(
  stream: Stream,
  mode: StreamConfig['mode'],
  now: number,
): Promise<Finding<true>> {
  const silent = await silentSeconds(stream, await stream.range(), now)
  if (silent === null) return ['not known: no record at the end of the log has a time before now', true]
  const found = `the newest record is ${silent} s old`
  if (mode === 'kafka') return [`${found}; a plain topic may rest`, true]
  if (silent <= longestSilence) return [found, true]
  throw new DtsError(
    'SOURCE_SILENT',
    `The newest record of any kind is ${silent} s old, and DTS writes a heartbeat about every second: the task has stopped ` +
      '(paused, expired, released), or is that late itself. There is nothing newer to deliver. Look at the status of the task in ' +
      'the DTS console.',
    { retryable: true, facts: { seconds: silent } },
  )
}

/** Whether changes get through: of a stream whose position fits the log. */
export async function checkDelivery(
  item: Checkpoint | null,
  stream: Stream,
  now: number,
): Promise<Finding<true>> {
  if (item === null) return ['nothing was read yet', true]
  const { state, lanes, offset, timestamp } = item
  if (state !== 'RUNNING') {
    const halt = haltOf(item)
    const since = halt === null ? '' : ` since ${new Date(halt.at).toISOString()} (${halt.code})`
    return [`halted${since}: ${recoveryCommand('{"action":"inspect"}')} says what ends it`, true, 'attention']
  }
  const { end } = await stream.range()
  const seconds = Math.max(0, Math.floor(now / 1000) - timestamp)
  const lag = offset >= end ? 'at the end of the log' : `${seconds} s and ${end - offset} records behind`
  const troubles = Object.entries(lanes).flatMap(([name, { trouble }]) =>
    failing(trouble) ? [`${name}: ${describeTrouble(trouble)}`] : [],
  )
  if (troubles.length > 0) return [`${lag}; ${troubles.join('; ')}`, true, 'attention']
  if (offset >= end || seconds <= lateSeconds) return [lag, true]
  return [`${lag}. ${lateBecause(item, now)}`, true, 'attention']
}

/** What the checkpoint shows of why a stream is late: whether a run is at work, and which functions are ahead. */
function lateBecause({ lanes, leaseUntil }: Checkpoint, now: number): string {
  const ahead = Object.entries(lanes).flatMap(([name, { through }]) => (through === null ? [] : [name]))
  const slow =
    ahead.length === 0
      ? ''
      : ` ${ahead.join(', ')} got further than that: one of the other functions is slow.`
  const work =
    leaseUntil !== null && leaseUntil > now
      ? 'A run is at work.'
      : 'No run is at work now: if that stays so, look at the schedule and at "Poll failed" in the poller\'s log.'
  return (
    `${work}${slow} If the lag grows, the dashboard shows where the time goes (FetchTime, HandlerTime): make that function ` +
    'faster, or raise its "concurrency" or the memory of the functions, and deploy.'
  )
}
