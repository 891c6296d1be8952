import { parseArgs } from 'node:util'
import { simulate } from './simulate.ts'
import { play } from './world.ts'

/** `npm run simulate -- --seeds N --from S`; `--trace` prints what happens in one seed. */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5000' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
    trace: { type: 'boolean', default: false },
  },
})
const from = Number(values.from)
const seeds = Number(values.seeds)

if (values.trace) {
  for (let seed = from; seed < from + seeds; seed++) {
    const { end, violations } = await play(seed, (line) => console.log(line))
    console.log(`seed ${seed}: ${end}, ${violations.length} violations`)
  }
} else {
  const report = await simulate(from, seeds, Number(values.workers))
  for (const { seed, invariant, message, at } of report.violations.slice(0, 20)) {
    console.log(`seed ${seed}, ${at / 1000} s: ${invariant}: ${message}`)
    console.log(`  replay: node test/simulation/main.ts --from ${seed} --seeds 1 --trace`)
  }
  const { faults, maxDuplicates, bound } = report
  console.log(
    `ends: ${JSON.stringify(report.ends)}, commits ${report.commits}, takeovers ${report.takeovers}`,
  )
  const violations = report.violations.length
  console.log(JSON.stringify({ seeds, violations, faults, maxDuplicates, bound }))
  process.exitCode = violations > 0 ? 1 : 0
}
