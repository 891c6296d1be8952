import type { Distance, SourceTimes } from '../../checkpoint/source-times.ts'
import type { Checkpoint } from '../../checkpoint/types.ts'
import { DtsError, type NextStep } from '../../errors.ts'
import { formatTime } from '../../time.ts'
import type { Known } from './known.ts'
import type { Plan } from './token.ts'

/** What a reset says to people. @param read the checkpoint that it moves */
export function describe(plan: Plan, read: Checkpoint | null, dryRun: boolean): string {
  const { lost, known } = plan
  const loss =
    lost === null
      ? evidence[known].noLoss
      : `Changes from ${formatTime(lost.from)} to ${formatTime(lost.to)} are lost to this stream; copy the affected ` +
        `rows from the source.${dryRun ? ' A reset does this only if you accept the loss.' : ''}`
  return [whereTo(plan), loss, repeats(plan), evidence[known].standIn, pauseEnds(read, dryRun)]
    .filter(Boolean)
    .join(' ')
}

/** What `inspect` says of how far the source's times run out of order. */
export function describeTimes(times: SourceTimes | null): string {
  if (times === null) return 'not measured yet'
  const { settled, jump, fall, back, ahead } = times
  const distance = ({ once, often }: Distance) => `${often} s${once > often ? ` and once ${once} s` : ''}`
  const now = [
    ...(jump === null ? [] : [`now ${jump.to - settled} s ahead, not confirmed`]),
    ...(fall === 0 ? [] : [`now ${fall} s back`]),
  ]
  const measured = `settled at ${formatTime(settled)}, go back by ${distance(back)}, ahead by ${distance(ahead)}`
  return [measured, ...now].join('; ')
}

function whereTo({ how, position: { timestamp } }: Plan): string {
  switch (how) {
    case 'stored':
      return 'The log is the one that the checkpoint belongs to; going on where it stands.'
    case 'anchor':
      return 'The last committed change was found in this log; going on right behind it.'
    case 'time':
      return `The last committed change is not in this log; going on at ${formatTime(timestamp)}.`
    default:
      return `Going on where you asked, at ${formatTime(timestamp)}.`
  }
}

function repeats({ how, repeats: counts, countedTo }: Plan): string {
  if (countedTo !== null)
    return `Changes repeat, marked as replay; they were counted up to offset ${countedTo}, and more may repeat from there on.`
  if (Object.keys(counts).length > 0) return 'Some changes repeat, marked as replay.'
  return how === 'stored' || how === 'anchor' || how === 'time' ? 'Nothing committed repeats.' : ''
}

function pauseEnds(read: Checkpoint | null, dryRun: boolean): string {
  if (read?.halt?.code !== 'PAUSED') return ''
  return dryRun
    ? 'The stream is paused, and the reset ends that: the next run of the poller reads on.'
    : 'The stream was paused, and is no longer: the next run of the poller reads on. To stop it, pause again.'
}

const isMarked = 'Whatever happened until now may have been delivered before, and is marked as replay.'

const evidence: Readonly<Record<Known['by'], { readonly noLoss: string; readonly standIn: string }>> = {
  checkpoint: { noLoss: 'Nothing is lost by it.', standIn: '' },
  group: {
    noLoss: 'Nothing is lost.',
    standIn:
      'There is no checkpoint; what the poller last committed to its consumer group stands for it, and functions may ' +
      `have gone further than that. ${isMarked}`,
  },
  restored: {
    noLoss: 'Nothing is lost.',
    standIn:
      'The checkpoint was restored from a backup; what the poller last committed to its consumer group stands for it, and ' +
      `functions may have gone further than that. ${isMarked}`,
  },
  other: {
    noLoss: 'Whether changes are lost is not known.',
    standIn: `There is no checkpoint, and the consumer group has the commit of another deployment. ${isMarked}`,
  },
  nothing: {
    // A commit can be gone, too: DTS may drop those of a group when its cluster changes.
    noLoss:
      'There is no checkpoint, and the consumer group holds no commit of ours: as far as that tells, this stream was never ' +
      'read, and nothing is lost. If it was read before, changes may be.',
    standIn: '',
  },
  unasked: {
    noLoss: 'Whether changes are lost is not known.',
    standIn: `There is no checkpoint, and the consumer group does not tell how far the stream was read. ${isMarked}`,
  },
}

/** @param next the same reset, with the loss accepted */
export function lossNotAccepted(lost: { from: number; to: number }, how: string, next: NextStep): DtsError {
  return new DtsError(
    'DATA_GAP',
    `Going on by ${how} loses the changes from ${formatTime(lost.from)} to ${formatTime(lost.to)}. Nothing was done. ` +
      'If you accept that, copy the affected rows from the source.',
    { retryable: false, facts: { from: lost.from, to: lost.to }, next: [next] },
  )
}
