import type { NextStep } from '../../lib/errors.ts'
import { renderStep } from '../../lib/recovery/next-steps.ts'
import * as page from '../page/recovery-answer.ts'
import type { Answer, LocalStack } from './stack.ts'

export interface Asked extends page.Asked {
  readonly isMove: boolean
}

const commandLine = { recovery: () => '', deploy: '' }

/** Actions that leave the checkpoint as it is, so recovery does not ask who wants them. */
const looks: ReadonlySet<string> = new Set(['inspect', 'doctor', 'redrive', 'letters'])

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
  return { ...readAnswer(answer.result), isMove }
}

/** Advice is written for a deployment. */
const ofDeployment = /\bdeploy\b|\/aws\/lambda\//

/** @param answer of recovery, in the form of data */
export function readAnswer(answer: unknown): page.Asked {
  const read = page.readAnswer(answer, localStep)
  const here = ' Here, saving a handler file deploys it, and errors of handlers are on this screen.'
  return ofDeployment.test(read.text) ? { ...read, text: read.text + here } : read
}

function localStep(step: NextStep): page.Step {
  if (step.action === 'deploy') {
    return { text: `${step.change} and save the file: it is built and served at once`, event: null }
  }
  const { text } = renderStep(step, commandLine)
  if (step.action === 'wait') return { text, event: null }
  const { purpose: _, ...event } = step
  return { text: text.replace(/^To /, ''), event }
}

/** The lines of the screen. Steps that recovery does have a number to press. */
export function stepLines(steps: readonly page.Step[]): string[] {
  return steps.map(({ text, event }, index) =>
    event === null ? `next        ${text}` : `[${index + 1}] ${text}`,
  )
}
