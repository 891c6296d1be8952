import type { NextStep } from '../../lib/errors.ts'
import type { StepEvent } from '../../lib/recovery/next-steps.ts'
import type { ReturnedError } from '../../lib/recovery/reply.ts'
import type { RedriveResult } from '../../lib/recovery/resend/redrive.ts'

/** One thing that a person can do next. */
export interface Step {
  /** For people: what it does. */
  readonly text: string
  /** The event of recovery that does it; null if a person does it in an editor or a shell. */
  readonly event: StepEvent | null
}

/** What recovery answered, for people. */
export interface Said {
  readonly text: string
  readonly steps: readonly Step[]
}

export interface Asked extends Said {
  /** What recovery answered; null if it gave no answer. */
  readonly result: unknown
  /** Whether it did what it was asked for: it returns the error of a refusal, too. */
  readonly isDone: boolean
}

interface AnswerData
  extends Partial<ReturnedError>,
    Partial<Pick<RedriveResult, 'letters' | 'redriven' | 'left' | 'notes'>> {
  readonly advice?: string
  readonly note?: string
  readonly next?: readonly NextStep[]
}

/** @param answer of recovery, in the form of data. @param stepOf writes a step for the people of this front end */
export function readAnswer(answer: unknown, stepOf: (step: NextStep) => Step): Asked {
  const data = (answer ?? {}) as AnswerData
  const { error, advice, note, redriven, next = [] } = data
  if (isReturned(error))
    return {
      text: `${error.code}: ${error.message}`,
      steps: error.next.map(stepOf),
      result: answer,
      isDone: false,
    }
  const text = advice ?? note ?? (redriven === undefined ? JSON.stringify(answer) : redriveText(data))
  return { text, steps: next.map(stepOf), result: answer, isDone: true }
}

/** A redrive has the member `error`, too: the text of what failed. */
function isReturned(error: unknown): error is ReturnedError['error'] {
  return typeof error === 'object' && error !== null
}

function redriveText({ letters = [], redriven, left, notes = [], error }: AnswerData): string {
  const listed = letters.filter(({ outcome }) => outcome === 'listed')
  if (listed.length > 0) {
    const texts = listed.map(({ table, offset, error: reason }) => `${table} at offset ${offset}: ${reason}`)
    return [`${left} dead letters wait. These come first:`, ...texts, ...notes].join('\n')
  }
  const failed = typeof error === 'string' ? [error] : []
  return [`${redriven} redriven, ${left} left in the queue.`, ...failed, ...notes].join(' ')
}
