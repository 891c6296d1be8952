import type { Distance, SourceTimes } from '../../checkpoint/source-times.ts'
import type { Checkpoint } from '../../checkpoint/types.ts'
import { formatTime } from '../../time.ts'
import type { Move } from './decide.ts'

/** Describes a reset for people. @param read the checkpoint that it moves */
export function describe(move: Move, read: Checkpoint | null, dryRun: boolean): string {
  const { lost, source } = move
  const loss =
    lost === null
      ? sources[source].noLoss
      : `Changes from ${formatTime(lost.from)} to ${formatTime(lost.to)} are lost to this stream; copy the affected ` +
        `rows from the source.${dryRun ? ' A reset does this only if you accept the loss.' : ''}`
  return [whereTo(move), loss, repeats(move), sources[source].standIn, pauseEnds(read, dryRun)]
    .filter(Boolean)
    .join(' ')
}

/** Describes for `inspect` how far the source's times run out of order. */
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

function whereTo({ how, position: { timestamp } }: Move): string {
  switch (how) {
    case 'stored':
      return 'The log is the one that the checkpoint belongs to. The stream continues at the stored offset.'
    case 'anchor':
      return 'This log holds the last committed change. The stream continues right after it.'
    case 'time':
      return `This log does not hold the last committed change. The stream continues at ${formatTime(timestamp)}.`
    case 'gap':
      return `The stream continues at ${formatTime(timestamp)}, after the lost changes.`
    case 'timestamp':
    case 'offset':
    case 'earliest':
    case 'latest':
    case 'committed':
    case 'ledger':
      return `The stream continues at ${formatTime(timestamp)}, as you asked.`
  }
}

function repeats({ how, repeats: { counts, countedTo } }: Move): string {
  if (countedTo !== null)
    return `Changes repeat, marked as replay. They were counted up to offset ${countedTo}, and more may repeat from there on.`
  if (Object.keys(counts).length > 0) return 'Some changes repeat, marked as replay.'
  return how === 'stored' || how === 'anchor' || how === 'time' ? 'Nothing committed repeats.' : ''
}

function pauseEnds(read: Checkpoint | null, dryRun: boolean): string {
  if (read?.state !== 'PAUSED') return ''
  return dryRun
    ? 'The stream is paused, and the reset ends the pause: the next run of the poller reads on.'
    : 'The stream was paused, and the reset ended the pause: the next run of the poller reads on. To stop it, pause again.'
}

const isMarked = 'All changes up to now may have been delivered before, and are marked as replay.'

const sources: Readonly<Record<Move['source'], { readonly noLoss: string; readonly standIn: string }>> = {
  checkpoint: { noLoss: 'Nothing is lost by it.', standIn: '' },
  group: {
    noLoss: 'Nothing is lost.',
    standIn:
      "There is no checkpoint. The poller's last commit to its consumer group takes its place, and functions may have " +
      `been ahead of that commit. ${isMarked}`,
  },
  restored: {
    noLoss: 'Nothing is lost.',
    standIn:
      "The checkpoint was restored from a backup. The poller's last commit to its consumer group takes its place, and " +
      `functions may have been ahead of that commit. ${isMarked}`,
  },
  other: {
    noLoss: 'Whether changes are lost is not known.',
    standIn: `There is no checkpoint, and the consumer group has the commit of another deployment. ${isMarked}`,
  },
  nothing: {
    // A commit can be gone too: DTS may drop the commits of a group when its cluster changes.
    noLoss:
      'There is no checkpoint, and the consumer group holds no commit of ours, so this stream was probably never read. ' +
      'If it was read before, changes may be lost.',
    standIn: '',
  },
  unasked: {
    noLoss: 'Whether changes are lost is not known.',
    standIn: `There is no checkpoint, and the consumer group does not show how far the stream was read. ${isMarked}`,
  },
}
