import { processEnvironment } from '../infra/environment.ts'
import { type CaseName, caseNames } from './case.ts'
import { cases } from './cases/index.ts'
import { formatNumber, formatTable } from './print.ts'
import type { CaseResult, Result } from './result.ts'

/** docs/performance.md of a result that has all cases. */
export function performancePage(result: Result): string {
  return `${[
    '# Performance',
    `\`npm run bench -- --write\` has measured and written this page, and with \`--case\` parts of it. To change its text, edit \`bench/document.ts\` or the cases in
\`bench/cases/\`, and run \`npm run bench -- --page\`.`,
    peers,
    howMeasured(result.machine),
    ...caseNames.map((name) => section(name, result.cases[name])),
    repeats,
  ].join('\n\n')}\n`
}

/** Measured once, with programs that are not part of this repository. */
const peers = `## Against the other clients of DTS

CPU for the same 300,000 records, side by side on one machine and one broker (Kafka 2.8). The records had 492 bytes and 12
columns. The figures are medians of three rounds. The other clients' programs are not part of this repository, so the bench does
not repeat this comparison.

| | CPU of dts-functions |
|---|---|
| all columns, against Alibaba's Java SDK | a tenth |
| all columns, against the DataStream API of Alibaba's Flink connector | a sixth |
| all columns, against its Flink SQL | a fifth |
| the whole way to acknowledged handlers, handlers included, against Alibaba's Java SDK, which only reads | a third |`

const deployedVariables = Object.entries(processEnvironment)
  .map(([name, value]) => `\`${name}=${value}\``)
  .join(', ')

function howMeasured(machine: Result['machine']): string {
  return `## How the bench measures

\`npm run bench\` measures all cases, and \`npm run bench -- --case routes,keys\` only these. It needs nothing but Node. The poller runs
in a process of its own, bundled and started as the deployment does (${deployedVariables}).
Other processes run the DStore emulator, dynalite for DynamoDB, and the table functions at an Invoke endpoint. Handlers ask for three of twelve columns.

The rows of a table are measured in turn, round after round. A cell has the median of all rounds and, in brackets, the lowest and
the highest one. **Compare the ratios.** They are taken within a round, so that other work on the machine affects both sides alike.
Absolute figures, and records per second most of all, are those of one machine at one time.

All cases ran with Node ${machine.node} on ${machine.processors} processors (${machine.processor}), and not all at the same time. Below each table is
how often its rows were measured, and how many processes were ready to run on the machine, on average over a minute, before and
after. With more than there are processors, times and rates are worse than on a machine of its own.

\`test/lib/counts/\` and \`test/bench/\` count the work of the same cases: invocations, requests, and steps of the code for each
record. These counts do not depend on the machine, so that a test fails if an improvement is lost. \`--profile <folder>\` writes CPU profiles of each poller.`
}

function section(name: CaseName, result: CaseResult | undefined): string {
  if (result === undefined) throw new RangeError(`The result lacks the case ${name}.`)
  const { title, about } = cases[name]
  return [
    `## ${title}`,
    wrap(`\`--case ${name}\`: ${about}`),
    formatTable(result.rows),
    conditions(result),
    ...goals(result),
  ].join('\n\n')
}

function conditions({ rounds, load: [before, after] }: CaseResult): string {
  const asked = rounds === 1 ? 'one round' : `${rounds} rounds`
  return `Asked for ${asked}. Ready to run: ${formatNumber(before)} processes before, ${formatNumber(after)} after.`
}

/** Breaks the lines of a paragraph before column 130. */
function wrap(paragraph: string): string {
  const lines = ['']
  for (const word of paragraph.split(/\s+/)) {
    const line = lines.at(-1) ?? ''
    if (line.length + 1 + word.length > 130) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.join('\n')
}

function goals({ goals }: CaseResult): string[] {
  if (goals.length === 0) return []
  const lines = goals.map(({ row, column, atLeast, atMost, median, isMet }) => {
    const bound =
      atLeast === undefined ? `at most ${formatNumber(atMost ?? 0)}` : `at least ${formatNumber(atLeast)}`
    return `- ${isMet ? 'Reached' : '**Missed**'}: ${row}, ${column}: ${bound}; measured ${formatNumber(median)}.`
  })
  return [`Goals:\n\n${lines.join('\n')}`]
}

const repeats = `## Repeats

\`npm run test:processes\` kills pollers at random moments and counts the repeats. In one run, 55 kills over 200,000 changes made 61,367
changes come twice. At those moments 77,434 changes were handled and not committed. Twelve freezes past the lease repeated 15,000 of
15,000. Lost replies (24) repeated 676. No change was lost, and none came out of order.`
