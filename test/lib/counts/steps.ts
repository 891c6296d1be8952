import { type Profiler, Session } from 'node:inspector'
import { setFlagsFromString } from 'node:v8'

/**
 * Counts the steps of the code below lib/: how often V8 has entered each function and each block in it. Unlike a time, the
 * count does not depend on the machine. A loop over columns, bytes or records shows in it. The work inside Node's own
 * functions does not.
 *
 * V8 counts the blocks of a function only if it compiles it after the session has begun. So no test file may call into lib/
 * while it is loaded.
 */

const lib = new URL('../../../lib/', import.meta.url).href
// An optimised function does not count the functions that it has inlined, and V8 optimises when the machine has time.
setFlagsFromString('--no-opt')
setFlagsFromString('--no-maglev')
const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })

function take(): number {
  let result: Profiler.ScriptCoverage[] = []
  session.post('Profiler.takePreciseCoverage', (error, answer) => {
    if (error !== null) throw error
    result = answer.result
  })
  // A session of the same thread answers at once. Each answer counts from the one before.
  return result
    .filter(({ url }) => url.startsWith(lib))
    .flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges))
    .reduce((sum, { count }) => sum + count, 0)
}

/** The steps of one call, after one that compiles the code and fills the caches. */
export async function stepsOf(work: () => unknown): Promise<number> {
  await work()
  take()
  await work()
  return take()
}
