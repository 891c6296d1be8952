import { type HeapProfiler, Session } from 'node:inspector'
import { setFlagsFromString } from 'node:v8'

/**
 * Counts the memory that the code below lib/ takes from V8's heap, and that is garbage sooner or later. Unlike the time of its
 * collection, it does not depend on the machine.
 */

const lib = new URL('../../../lib/', import.meta.url).href
// Optimised code leaves out some objects, and V8 optimises when the machine has time.
setFlagsFromString('--no-opt')
setFlagsFromString('--no-maglev')
const session = new Session()
session.connect()

/** Bytes between two samples, on average. The count is exact to about a hundredth for ten megabytes. */
const samplingInterval = 1_024

/** The bytes of one call, after one that compiles the code and fills the caches. */
export async function bytesOf(work: () => unknown): Promise<number> {
  await work()
  session.post('HeapProfiler.startSampling', {
    samplingInterval,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  })
  await work()
  let head: HeapProfiler.SamplingHeapProfileNode | null = null
  session.post('HeapProfiler.stopSampling', (error, answer) => {
    if (error !== null) throw error
    head = answer.profile.head
  })
  // A session of the same thread answers at once.
  return head === null ? 0 : below(head, false)
}

/** Node's own functions count for the code that called them. */
function below(node: HeapProfiler.SamplingHeapProfileNode, isInLib: boolean): number {
  const { url } = node.callFrame
  const isOwn = url.startsWith(lib) || (isInLib && (url === '' || url.startsWith('node:')))
  return node.children.reduce((sum, child) => sum + below(child, isOwn), isOwn ? node.selfSize : 0)
}
