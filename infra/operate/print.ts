import type { RecoveryAnswer } from '../../lib/recovery/recover.ts'
import type { ReturnedError } from '../../lib/recovery/reply.ts'
import { printable, printableLines } from '../../lib/text/printable.ts'
import { type Asked, checkLines, stepLines } from './lines.ts'
import { inspectionLines } from './print-inspection.ts'
import { lookLines } from './print-look.ts'
import { letterLines, redriveLines, replayLines } from './print-resend.ts'
import { resetLines } from './print-reset.ts'

/**
 * An answer or an error of recovery as lines for people. No line moves the cursor of a terminal or begins another line,
 * whatever the stream, the broker or the function put into the answer.
 */
export function print(value: unknown, asked: Asked): string[] {
  return lines(value, asked).map((text) => printable(text))
}

/** The same as JSON, for scripts. Characters that a terminal interprets are escaped, and parse to what they were. */
export function printJson(value: unknown): string {
  return printableLines(JSON.stringify(value, null, 2) ?? 'null')
}

function lines(value: unknown, asked: Asked): string[] {
  if (typeof value !== 'object' || value === null) return [String(value)]
  if ('action' in value) return answerLines(value as RecoveryAnswer, asked)
  if ('error' in value) return errorLines(value as ReturnedError, asked)
  // Lambda's own form: the function ended before it could answer, or its code failed.
  const { errorType = 'Error', errorMessage = JSON.stringify(value) } = value as Record<string, string>
  return [`${errorType}: ${errorMessage}`]
}

function errorLines({ error: { code, message, next } }: ReturnedError, asked: Asked): string[] {
  return [`${code}: ${message}`, ...stepLines(next, asked)]
}

function answerLines(answer: RecoveryAnswer, asked: Asked): string[] {
  switch (answer.action) {
    case 'doctor':
      return [
        ...answer.checks.flatMap((check) => checkLines(check, asked)),
        '',
        answer.healthy ? 'Every check is ok.' : 'See the checks that are not ok.',
      ]
    case 'inspect':
      return inspectionLines(answer, asked)
    case 'reset':
      return resetLines(answer, asked)
    case 'pause':
    case 'resume':
    case 'release':
      return [`offset ${answer.offset}`, answer.note, ...stepLines(answer.next, asked)]
    case 'redrive':
      return redriveLines(answer, asked)
    case 'letters':
      return letterLines(answer)
    case 'discard':
      return [answer.note]
    case 'replay':
      return replayLines(answer, asked)
    case 'look':
      return lookLines(answer, asked)
  }
}
