import type { NextStep } from '../../lib/errors.ts'
import type { Check } from '../../lib/recovery/examine/checks.ts'
import { renderStep, stepLine } from '../../lib/recovery/next-steps.ts'
import type { Call } from './arguments.ts'
import { npmCommands } from './command-line.ts'

/** What was asked, and of which deployment: every command in the answer's lines is for the same function. */
export type Asked = Pick<Call, 'event' | 'deployment'>

/** The parts that lines of several answers are made of. */

export function line(name: string, text: string): string {
  return `${name.padEnd(9)}${text}`
}

/** A check and what to do about it. */
export function checkLines({ name, result, detail, next }: Check, { deployment }: Asked): string[] {
  const steps = next.map((step) => line('', stepLine(step, npmCommands(deployment))))
  return [`${result.padEnd(8)} ${name}: ${detail}`, ...steps]
}

/** Next steps after an empty line, each command on a line of its own, to be copied. */
export function stepLines(next: readonly NextStep[], { deployment }: Asked): string[] {
  const lines = next.flatMap((step) => {
    const { text, command } = renderStep(step, npmCommands(deployment))
    return command === null ? [`${text}.`] : [`${text}:`, `  ${command}`]
  })
  return lines.length === 0 ? [] : ['', ...lines]
}
