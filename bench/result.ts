import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod'

/** What the last line of the bench says, and what docs/performance.md is made from. */

const figureSchema = z.strictObject({
  /** Of all rounds. */
  median: z.number(),
  low: z.number(),
  high: z.number(),
})
export type Figure = z.infer<typeof figureSchema>

const rowSchema = z.strictObject({
  name: z.string(),
  /** By column, in the order of the table. */
  figures: z.record(z.string(), figureSchema),
})
export type Row = z.infer<typeof rowSchema>

const goalSchema = z.strictObject({
  row: z.string(),
  column: z.string(),
  atLeast: z.number().optional(),
  atMost: z.number().optional(),
})
export type Goal = z.infer<typeof goalSchema>

const caseSchema = z.strictObject({
  rounds: z.number(),
  /** Processes that were ready to run, on average over a minute, before and after. */
  load: z.tuple([z.number(), z.number()]),
  rows: z.array(rowSchema),
  goals: z.array(goalSchema.extend({ median: z.number(), isMet: z.boolean() })),
})
export type CaseResult = z.infer<typeof caseSchema>

export const resultSchema = z.strictObject({
  machine: z.strictObject({
    node: z.string(),
    processor: z.string(),
    processors: z.number(),
  }),
  cases: z.record(z.string(), caseSchema),
})
export type Result = z.infer<typeof resultSchema>

/**
 * The stored result with the cases that were measured now in place of its own.
 * @throws RangeError if they were measured on another machine or Node, because the page has one description for all
 */
export function replaceCases(stored: Result, measured: Result): Result {
  if (!isDeepStrictEqual(stored.machine, measured.machine)) {
    throw new RangeError(
      `The stored result is of ${JSON.stringify(stored.machine)}, and this machine is ${JSON.stringify(measured.machine)}: ` +
        'measure all cases.',
    )
  }
  return { ...stored, cases: { ...stored.cases, ...measured.cases } }
}

/** @throws RangeError if a goal names a row or a column that the table lacks */
export function judge(rows: readonly Row[], goals: readonly Goal[]): CaseResult['goals'] {
  return goals.map((goal) => {
    const figure = rows.find(({ name }) => name === goal.row)?.figures[goal.column]
    if (figure === undefined) throw new RangeError(`No figure for the goal ${JSON.stringify(goal)}.`)
    const { median } = figure
    const isMet =
      median >= (goal.atLeast ?? Number.NEGATIVE_INFINITY) &&
      median <= (goal.atMost ?? Number.POSITIVE_INFINITY)
    return { ...goal, median, isMet }
  })
}
