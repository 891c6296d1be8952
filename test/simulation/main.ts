import { parseArgs } from 'node:util'
import { type Kind, kinds } from './faults.ts'
import { simulate } from './simulate.ts'
import { play } from './world.ts'

/** `npm run simulate -- --kind faults|switch --seeds N --from S`; `--trace` prints every event of each seed. */
const { values } = parseArgs({
  options: {
    kind: { type: 'string', default: 'faults' },
    seeds: { type: 'string', default: '5000' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
    trace: { type: 'boolean', default: false },
  },
})
const kind: Kind | undefined = kinds.find((name) => name === values.kind)
if (kind === undefined) throw new RangeError(`--kind is one of ${kinds.join(', ')}`)
const from = count('from')
const seeds = count('seeds')

if (values.trace) {
  for (let seed = from; seed < from + seeds; seed++) {
    const { end, violations } = await play(kind, seed, (line) => console.log(line))
    console.log(`seed ${seed}: ${end}, ${violations.length} violations`)
  }
} else {
  const report = await simulate(kind, from, seeds, count('workers'))
  for (const { seed, invariant, message, at } of report.violations.slice(0, 20)) {
    console.log(`seed ${seed}, ${at / 1000} s: ${invariant}: ${message}`)
    console.log(`  replay: npm run simulate -- --kind ${kind} --from ${seed} --seeds 1 --trace`)
  }
  const { faults, maxDuplicates, bound } = report
  console.log(
    `ends: ${JSON.stringify(report.ends)}, commits ${report.commits}, takeovers ${report.takeovers}`,
  )
  console.log(JSON.stringify(report.happenings, null, 1))
  const violations = report.violations.length
  console.log(JSON.stringify({ seeds, violations, faults, maxDuplicates, bound }))
  process.exitCode = violations > 0 ? 1 : 0
}

/** Refuses 0: a run without seeds would look like a success. */
function count(name: 'from' | 'seeds' | 'workers'): number {
  const text = values[name]
  if (!/^[1-9]\d{0,9}$/.test(text))
    throw new RangeError(`--${name} takes a whole number from 1 on, not ${text}`)
  return Number(text)
}
