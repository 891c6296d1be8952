import type { LettersResult } from '../../lib/recovery/resend/letters.ts'
import type { RedriveResult } from '../../lib/recovery/resend/redrive.ts'
import type { ReplayResult } from '../../lib/recovery/resend/replay.ts'
import { npmCommand } from './command-line.ts'
import { type Asked, line, stepLines } from './lines.ts'

export function redriveLines(answer: RedriveResult, asked: Asked): string[] {
  const isDryRun = asked.event.dryRun === true
  return [
    ...(isDryRun ? ['Dry run: nothing was sent.'] : []),
    ...answer.letters.map((letter) =>
      line(letter.outcome, `${letter.table} offset ${letter.offset}, ${letter.at}, ${letter.error}`),
    ),
    `${isDryRun ? '' : `${answer.redriven} redriven, `}${answer.left} left in the queue`,
    ...(answer.error === null ? [] : [answer.error]),
    ...answer.notes,
    ...stepLines(answer.next, asked),
  ]
}

export function letterLines({ letters, waiting }: LettersResult): string[] {
  return [
    ...letters.flatMap(({ message, table, function: name, offset, at, attempts, error, change }) => [
      `${table || 'a record that cannot be read'} offset ${offset}, ${at}, ${name ?? 'no function'}, ${attempts} attempts`,
      line('', error),
      line('', change === null ? 'its change cannot be shown' : JSON.stringify(change)),
      line('', `--message ${message}`),
    ]),
    `${waiting} wait in the queue`,
  ]
}

export function replayLines(answer: ReplayResult, { event, deployment }: Asked): string[] {
  const { replayed, table, from, next, complete, error, note } = answer
  const changes = `${replayed} changes of ${table}, offsets ${from} to ${next}`
  return [
    ...(event.dryRun === true
      ? ['Dry run: nothing was sent.', `${answer.function} would get ${changes}`]
      : [`${answer.function} took ${changes}`]),
    ...(error === null ? [] : [error]),
    ...(note === '' ? [] : [note]),
    ...(complete
      ? ['Complete.']
      : [
          'Not complete. Continue with',
          '',
          `  ${npmCommand({ ...event, from: { offset: next } }, deployment)}`,
        ]),
  ]
}
