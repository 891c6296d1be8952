import type { NextStep } from '../../lib/errors.ts'
import { renderStep, type StepEvent } from '../../lib/recovery/next-steps.ts'
import type { ReturnedError } from '../../lib/recovery/reply.ts'
import type { Answer, LocalStack } from './stack.ts'

/** What recovery answered, for the screen. */
interface Told {
  readonly text: string
  readonly steps: readonly LocalStep[]
}

export interface Asked extends Told {
  /** What recovery answered; null if it gave no answer. */
  readonly result: unknown
  /** Whether it did what it was asked for: it returns the error of a refusal, too. */
  readonly isDone: boolean
  readonly isMove: boolean
}

/** One thing that a person can do next at the local stack. */
export interface LocalStep {
  /** For people: what it does. */
  readonly text: string
  /** The event of recovery that does it; null if a person does it in an editor. */
  readonly event: StepEvent | null
}

const commandLine = { recovery: () => '', deploy: '' }

/** Actions that leave the stream as it is, so recovery does not ask who wants them. */
const looks: ReadonlySet<string> = new Set(['inspect', 'doctor', 'redrive'])

/** Asks recovery. Never rejects: the text says what went wrong. @param by who asks, for the ledger */
export async function askRecovery(
  { invoke }: Pick<LocalStack, 'invoke'>,
  event: { readonly action: string },
  by: string,
): Promise<Asked> {
  const isMove = !looks.has(event.action)
  const request = { ...event, ...(isMove ? { by } : {}), reply: 'data' }
  const answer = await invoke('recovery', request).catch(
    (error: Error): Answer => ({ ok: false, code: error.name, message: error.message }),
  )
  if (!answer.ok)
    return { text: `${answer.code}: ${answer.message}`, steps: [], result: null, isDone: false, isMove }
  const { result } = answer
  const isRefused = typeof result === 'object' && result !== null && Object.hasOwn(result, 'error')
  return { ...readAnswer(result), result, isDone: !isRefused, isMove }
}

/** @param answer of recovery, in the form of data */
export function readAnswer(answer: unknown): Told {
  const { error, advice, note, next = [] } = answer as AnswerData
  if (error !== undefined) return told(`${error.code}: ${error.message}`, error.next)
  return told(advice ?? note ?? JSON.stringify(answer), next)
}

interface AnswerData extends Partial<ReturnedError> {
  readonly advice?: string
  readonly note?: string
  readonly next?: readonly NextStep[]
}

/** Advice is written for a deployment. */
const ofDeployment = /\bdeploy\b|\/aws\/lambda\//

function told(advice: string, next: readonly NextStep[]): Told {
  const here = ' Here, saving a handler file deploys it, and errors of handlers are on this screen.'
  const text = ofDeployment.test(advice) ? advice + here : advice
  // There is no dead-letter queue here.
  return { text, steps: next.filter(({ action }) => action !== 'redrive').map(localStep) }
}

function localStep(step: NextStep): LocalStep {
  if (step.action === 'deploy') {
    return { text: `${step.change} and save the file: it is built and served at once`, event: null }
  }
  const { text } = renderStep(step, commandLine)
  if (step.action === 'wait') return { text, event: null }
  const { purpose: _, ...event } = step
  return { text: text.replace(/^To /, ''), event }
}

/** The lines of the screen. Steps that recovery does have a number to press. */
export function stepLines(steps: readonly LocalStep[]): string[] {
  return steps.map(({ text, event }, index) =>
    event === null ? `next        ${text}` : `[${index + 1}] ${text}`,
  )
}
