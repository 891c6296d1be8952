import { parseArgs } from 'node:util'
import * as z from 'zod'
import { kinds } from './faults.ts'
import { play } from './world.ts'

/** Plays seeds until one violates an invariant. Prints that violation as JSON, or null. */
const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '500' }, kind: { type: 'string', default: 'faults' } },
})
const kind = z.enum(kinds).parse(values.kind)

Error.stackTraceLimit = 0
let found: { seed: number; invariant: string; message: string } | null = null
for (let seed = 1; seed <= Number(values.seeds) && found === null; seed++) {
  const [first] = (await play(kind, seed)).violations
  if (first !== undefined) found = { seed, invariant: first.invariant, message: first.message }
}
console.log(JSON.stringify(found))
// Promises that a mutant left pending must not keep the process alive.
process.exit(0)
