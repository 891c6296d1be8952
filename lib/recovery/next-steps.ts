import type { NextStep } from '../errors.ts'

/** A step that recovery carries out. */
type RecoveryStep = Exclude<NextStep, { readonly action: 'wait' | 'deploy' }>
/** The event of recovery that carries out a step. */
export type StepEvent = Omit<RecoveryStep, 'purpose'>

/** How a front end writes the commands that its users run. */
export interface CommandLine {
  readonly recovery: (event: StepEvent) => string
  readonly deploy: string
}

export interface RenderedStep {
  /** What to do, or what the command is for; without a full stop. */
  readonly text: string
  /** The command line to run; null if there is nothing to run. */
  readonly command: string | null
}

export function renderStep(step: NextStep, commandLine: CommandLine): RenderedStep {
  const addition = step.purpose === undefined ? '' : `, to ${step.purpose}`
  switch (step.action) {
    case 'wait':
      return { text: `Wait until ${step.until} and run the same again${addition}`, command: null }
    case 'deploy':
      return { text: `${step.change} and deploy${addition}`, command: commandLine.deploy }
    case 'inspect':
    case 'doctor':
    case 'resume':
    case 'pause':
    case 'release':
    case 'reset':
    case 'redrive': {
      const { purpose = usualPurpose(step), ...event } = step
      return { text: `To ${purpose}`, command: commandLine.recovery(event) }
    }
  }
}

function usualPurpose(step: RecoveryStep): string {
  switch (step.action) {
    case 'inspect':
      return 'see how far the stream is and what to do'
    case 'doctor':
      return 'examine the set-up'
    case 'resume':
      return 'let the stream continue'
    case 'pause':
      return 'stop the stream at its position'
    case 'release':
      return 'break the lease'
    case 'reset':
      return 'move the checkpoint'
    case 'redrive':
      return step.dryRun ? 'list the dead letters and why they failed' : 'send the dead letters again'
  }
}

/** A step on one line. */
export function stepLine(step: NextStep, commandLine: CommandLine): string {
  const { text, command } = renderStep(step, commandLine)
  return command === null ? `${text}.` : `${text}: ${command}`
}
