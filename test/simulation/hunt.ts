import { parseArgs } from 'node:util'
import * as z from 'zod'
import { kinds } from './faults.ts'
import { play } from './world.ts'

/** Plays the seed `--first`, then the seeds from `--from` on, until one violates an invariant. Prints that as JSON, or null. */
const { values } = parseArgs({
  options: {
    kind: { type: 'string', default: 'faults' },
    first: { type: 'string' },
    from: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '500' },
  },
})
const kind = z.enum(kinds).parse(values.kind)
const from = Number(values.from)
const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => from + index)
if (values.first !== undefined) seeds.unshift(Number(values.first))

Error.stackTraceLimit = 0
let found: { seed: number; invariant: string; message: string } | null = null
for (const seed of seeds) {
  const [violation] = (await play(kind, seed)).violations
  if (violation === undefined) continue
  found = { seed, invariant: violation.invariant, message: violation.message }
  break
}
console.log(JSON.stringify(found))
// Promises that a mutant left pending must not keep the process alive.
process.exit(0)
