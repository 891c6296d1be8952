import type { Route } from '../../dispatch/settings.ts'
import { recoveryCommand } from '../../recovery-command.ts'
import type { Check } from './preflight.ts'

export interface Advice {
  /** What to do now, for people. */
  readonly advice: string
  /** The command that does it; null when there is nothing to run. */
  readonly command: string | null
}

/** What the set-up says of the functions and of what becomes of a change that is given up. */
export interface Setup {
  readonly checks: readonly Check[]
  readonly routes: Readonly<Record<string, Route>>
  readonly hasQueue: boolean
  readonly unroutedTables: 'skip' | 'halt'
}

/** @param advice what is at fault, and what cures it; afterwards the same question is asked again */
export function afterFault(advice: string): Advice {
  return { advice, command: recoveryCommand('{"action":"inspect"}') }
}
