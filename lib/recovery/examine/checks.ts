import { isDtsError, type NextStep } from '../../errors.ts'
import { reasonOf } from '../../text/thrown.ts'

/**
 * One check of the examination. `attention`: the set-up works, but something waits for a person. `skipped`: a check
 * before it failed.
 */
export interface Check {
  readonly name: string
  readonly result: 'ok' | 'attention' | 'failed' | 'skipped'
  readonly detail: string
  /** What to do; empty if nothing. */
  readonly next: readonly NextStep[]
}

export interface Finding<Result> {
  readonly detail: string
  /** What later checks need. */
  readonly result: Result
  /** True if the set-up works but a person should look. */
  readonly attention?: boolean
  readonly next?: readonly NextStep[]
}

/** A check that found nothing wrong. */
export function found(detail: string): Finding<true>
export function found<Result>(detail: string, result: Result): Finding<Result>
export function found(detail: string, result: unknown = true): Finding<unknown> {
  return { detail, result }
}

/** Runs checks one after the other. A check that fails is part of what is found. */
export class CheckList {
  readonly checks: Check[] = []

  add(name: string, result: Check['result'], detail: string, next: readonly NextStep[] = []): void {
    this.checks.push({ name, result, detail, next })
  }

  skip(name: string): void {
    this.add(name, 'skipped', 'not examined, because a check before it failed')
  }

  fail(name: string, fault: unknown): void {
    this.add(name, 'failed', describeFault(fault), isDtsError(fault) ? fault.next : [])
  }

  /** @returns what the check found for later ones; undefined if it was skipped or failed */
  async run<Result>(
    name: string,
    isPossible: boolean,
    check: () => Promise<Finding<Result>>,
  ): Promise<Result | undefined> {
    if (!isPossible) {
      this.skip(name)
      return undefined
    }
    try {
      const { detail, result, attention = false, next = [] } = await check()
      this.add(name, attention ? 'attention' : 'ok', detail, next)
      return result
    } catch (error) {
      this.fail(name, error)
      return undefined
    }
  }
}

/** An error as one line. */
export function describeFault(error: unknown): string {
  return reasonOf(error)
}
