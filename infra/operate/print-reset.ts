import type { NextStep } from '../../lib/errors.ts'
import type { ResetResult } from '../../lib/recovery/move/reset.ts'
import { type Asked, line, stepLines } from './lines.ts'

export function resetLines(answer: ResetResult, asked: Asked): string[] {
  const { applied, from, to, how, repeats, countedTo, lost, note, token } = answer
  return [
    applied ? 'The checkpoint was moved.' : 'Dry run: nothing was changed.',
    line('from', from === null ? 'none' : `offset ${from.offset}, cluster ${from.clusterId}`),
    line('to', `offset ${to.offset}, ${to.time}, cluster ${to.clusterId}, generation ${to.generation}`),
    line('how', how),
    ...Object.entries(repeats).map(([table, count]) =>
      line('repeats', `${table}: ${countedTo === null ? `up to ${count}` : `${count} or more`}`),
    ),
    ...(lost === null ? [] : [line('lost', `${lost.from} to ${lost.to}`)]),
    note,
    ...(token === null ? [] : stepLines([applyStep(token, lost !== null)], asked)),
  ]
}

/** Applies what the dry run announced. */
function applyStep(token: string, losesChanges: boolean): NextStep {
  const step = { action: 'reset', token } as const
  return losesChanges
    ? { ...step, acceptLoss: true, purpose: 'apply exactly this and accept the loss' }
    : { ...step, purpose: 'apply exactly this' }
}
