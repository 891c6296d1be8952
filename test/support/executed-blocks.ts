import { Session } from 'node:inspector'

/*
 * Counts the blocks of JavaScript that a call runs (bodies of functions, loops and branches), as V8's code coverage counts
 * them. The counts do not depend on the machine or its load. So a test can assert that an input right above a limit takes
 * about the same work as one right below it.
 *
 * V8 counts the blocks only of functions that it compiles afterwards. So a test imports this file before the code that it
 * measures.
 */

interface Coverage {
  readonly result: readonly {
    readonly url: string
    readonly functions: readonly {
      readonly functionName: string
      readonly ranges: readonly { readonly count: number }[]
    }[]
  }[]
}

const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })

/** The counts since the last call of this function. A session in its own process answers at once. */
function takeCoverage(): Coverage['result'] {
  let coverage: Coverage | undefined
  session.post('Profiler.takePreciseCoverage', (error, taken) => {
    if (error !== null) throw error
    coverage = taken
  })
  if (coverage === undefined) throw new Error('V8 did not answer')
  return coverage.result
}

export interface Work {
  /** How many blocks ran. */
  readonly blocks: number
  /** How often each function ran, by its name. */
  readonly calls: ReadonlyMap<string, number>
}

/** The work that a call does in the files whose path contains `part`. */
export function workOf(part: string, call: () => void): Work {
  takeCoverage()
  call()
  let blocks = 0
  const calls = new Map<string, number>()
  for (const { url, functions } of takeCoverage()) {
    if (!url.includes(part)) continue
    for (const { functionName, ranges } of functions) {
      for (const { count } of ranges) blocks += count
      calls.set(functionName, (calls.get(functionName) ?? 0) + (ranges[0]?.count ?? 0))
    }
  }
  return { blocks, calls }
}
