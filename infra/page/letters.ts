import type { Change } from '../../lib/dts/change.ts'
import { changeFromJson } from '../../lib/dts/json.ts'
import { describeChange } from '../../lib/recovery/examine/describe-change.ts'
import type { LettersResult } from '../../lib/recovery/resend/letters.ts'
import { printable } from '../../lib/text/printable.ts'
import type { Letters } from './messages.ts'

/** The dead letters for the page. @param result of recovery's action `letters` */
export function shownLetters({ letters, waiting }: LettersResult): Letters {
  return {
    waiting,
    letters: letters.map(({ change, function: name, at, ...letter }) => {
      const { message, offset, generation, attempts } = letter
      const described = change === null ? null : describeChange(changeFromJson(change) as Change)
      return {
        message,
        offset,
        generation,
        attempts,
        function: name,
        table: printable(letter.table),
        error: printable(letter.error),
        at: Date.parse(at),
        operation: described?.operation ?? 'UNREADABLE',
        key: described?.key ?? '',
        columns: described?.columns ?? [],
        text:
          described === null
            ? 'Its values are not shown: it cannot be read, or is too large.'
            : described.text,
        note: null,
      }
    }),
  }
}
