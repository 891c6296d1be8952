/**
 * `npm run bench`: measures the cases of bench/cases one after the other. Prints a table for each, and the whole result as one
 * JSON object in the last line.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { coefficientsFile, readCoefficients } from '../infra/operate/cost/coefficients.ts'
import { readPrices } from '../infra/operate/cost/prices.ts'
import { type Call, toCall, UsageError, usage } from './arguments.ts'
import { caseNames } from './case.ts'
import { cases } from './cases/index.ts'
import { measureCoefficients } from './coefficients.ts'
import { costPage } from './cost-document.ts'
import { performancePage } from './document.ts'
import { Ground } from './ground/ground.ts'
import { formatNumber, formatTable } from './print.ts'
import { type CaseResult, judge, type Result, replaceCases, resultSchema } from './result.ts'

const stored = new URL('results.json', import.meta.url)

const readStored = () => resultSchema.parse(JSON.parse(readFileSync(stored, 'utf8')))

function writeCostPage(): void {
  writeFileSync(new URL('../docs/cost.md', import.meta.url), costPage(readCoefficients(), readPrices()))
}

function writePage(): void {
  writeFileSync(new URL('../docs/performance.md', import.meta.url), performancePage(readStored()))
}

/** Processes that are ready to run, on average over the last minute. */
const load = () => Number((loadavg()[0] ?? 0).toFixed(1))

async function writeCoefficients({ rounds, profileFolder }: Call): Promise<void> {
  const ground = await Ground.start(profileFolder)
  try {
    const text = `${JSON.stringify(await measureCoefficients(ground, rounds), null, 2)}\n`
    writeFileSync(coefficientsFile, text)
    writeCostPage()
    console.log(text)
  } finally {
    await ground.stop()
  }
}

async function main(call: Call): Promise<void> {
  const results: Record<string, CaseResult> = {}
  let starting: Promise<Ground> | null = null
  const ground = () => (starting ??= Ground.start(call.profileFolder))
  try {
    for (const name of call.cases) {
      const { title, goals, run } = cases[name]
      console.log(`\n${name}: ${title} (${call.rounds} rounds; median, lowest and highest)`)
      const before = load()
      const rows = await run({ rounds: call.rounds, isLong: call.isLong, ground })
      const judged = judge(rows, goals)
      results[name] = { rounds: call.rounds, load: [before, load()], rows: [...rows], goals: judged }
      console.log(formatTable(rows))
      for (const { row, column, atLeast, atMost, median, isMet } of judged) {
        const bound = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`
        console.log(
          `${isMet ? 'reached' : 'missed'}: ${row}, ${column}: ${formatNumber(median)}, the goal is ${bound}`,
        )
      }
    }
  } finally {
    await (starting as Promise<Ground> | null)?.then((started) => started.stop())
  }
  const result: Result = {
    machine: {
      node: process.versions.node,
      processor: cpus()[0]?.model ?? 'unknown',
      processors: availableParallelism(),
    },
    cases: results,
  }
  if (call.writes) {
    const isAll = call.cases.length === caseNames.length
    const written = isAll ? result : replaceCases(readStored(), result)
    writeFileSync(stored, `${JSON.stringify(written, null, 1)}\n`)
    writePage()
  }
  console.log(JSON.stringify(result))
}

try {
  const call = toCall(process.argv.slice(2))
  if (call === null) console.log(usage)
  else if (call.onlyWritesPage) {
    writePage()
    writeCostPage()
  } else if (call.onlyCoefficients) await writeCoefficients(call)
  else await main(call)
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`${error.message}\n\n${usage}`)
  process.exitCode = 2
}
