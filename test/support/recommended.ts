import type { NextStep } from '../../lib/errors.ts'

/** The step that an answer recommends, without its purpose; null if there is nothing to run. */
export function recommended({ next: [step] }: { readonly next: readonly NextStep[] }): object | null {
  if (step === undefined) return null
  const { purpose: _, ...event } = step
  return event
}
