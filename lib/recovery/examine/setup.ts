import type { PollConfig } from '../../config.ts'
import type { Route } from '../../dispatch/settings.ts'
import type { NextStep } from '../../errors.ts'
import type { Check } from './checks.ts'

export interface Advice {
  /** What was found and what it means, for people. */
  readonly advice: string
  /** What to do, the recommended step first; empty if there is nothing to run. */
  readonly next: readonly NextStep[]
}

/** The settings that decide which function gets a change, and what happens to a change that fails. */
export interface Setup {
  readonly checks: readonly Check[]
  readonly routes: Readonly<Record<string, Route>>
  readonly hasQueue: boolean
  readonly unroutedTables: PollConfig['unroutedTables']
  readonly ghostTables: PollConfig['ghostTables']
}

/** @param advice what is wrong and how to fix it; `inspect` then says what comes after that */
export function afterFault(advice: string, others: readonly NextStep[] = []): Advice {
  const different = others.filter(({ action }) => action !== 'inspect')
  return { advice, next: [{ action: 'inspect', purpose: 'look again after that' }, ...different] }
}
