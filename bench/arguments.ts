import { parseArgs } from 'node:util'
import { type CaseName, caseNames } from './case.ts'

export const usage = `npm run bench -- [flags]

  --case NAME       ${caseNames.join(', ')},
                    or all (the default); several with commas
  --rounds N        how often each row is measured, in turn with the others (3)
  --long            backlog: also ten million records
  --write           store the results of these cases, and write docs/performance.md
  --coefficients    measure what the cost model needs instead, and write its file
                    and docs/cost.md
  --page            write docs/performance.md and docs/cost.md from what is stored, and measure nothing
  --profile FOLDER  CPU profiles of every poller that is measured`

/** The arguments do not have the form that `usage` describes. */
export class UsageError extends Error {}

export interface Call {
  readonly cases: readonly CaseName[]
  readonly rounds: number
  readonly isLong: boolean
  readonly writes: boolean
  readonly onlyCoefficients: boolean
  readonly onlyWritesPage: boolean
  readonly profileFolder: string | null
}

/** @returns null when only help is asked for. @throws UsageError */
export function toCall(argv: readonly string[]): Call | null {
  const values = parse(argv)
  if (values.help) return null
  const cases = toCases(values.case ?? 'all')
  const rounds = values.rounds ?? '3'
  if (!/^[1-9]\d?$/.test(rounds)) {
    throw new UsageError(`--rounds takes a whole number from 1 to 99, not ${JSON.stringify(rounds)}.`)
  }
  if (values.page && Object.keys(values).length > 1) {
    throw new UsageError('--page measures nothing: leave out the other flags.')
  }
  if (values.coefficients && (values.case ?? values.long ?? values.write ?? values.page) !== undefined) {
    throw new UsageError('--coefficients measures nothing else: it goes with --rounds and --profile only.')
  }
  if (values.profile?.trim() === '') throw new UsageError('--profile needs a folder.')
  return {
    cases,
    rounds: Number(rounds),
    isLong: values.long ?? false,
    writes: values.write ?? false,
    onlyCoefficients: values.coefficients ?? false,
    onlyWritesPage: values.page ?? false,
    profileFolder: values.profile ?? null,
  }
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const options = {
    case: text,
    rounds: text,
    long: flag,
    write: flag,
    page: flag,
    coefficients: flag,
    profile: text,
    help: flag,
  } as const
  try {
    return parseArgs({ args: [...argv], options }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function toCases(text: string): readonly CaseName[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.includes('all')) return caseNames
  const unknown = names.filter((name) => !caseNames.some((known) => known === name))
  if (unknown.length > 0) {
    const [first = ''] = unknown
    throw new UsageError(
      `--case has ${JSON.stringify(first)}: a case is one of ${caseNames.join(', ')}, or all.`,
    )
  }
  return caseNames.filter((name) => names.includes(name))
}
