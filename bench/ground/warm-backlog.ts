import type { RunReport } from '../programs/poller.ts'
import type { StreamShape } from '../programs/services.ts'
import type { Ground } from './ground.ts'

/** The first records are not counted: V8 has not compiled the code by then. */
const warmRecords = 200_000
/** Records of a run of the poller. A run reports what it used. */
const runRecords = 100_000

/** The use of one record, by the deployed poller once it is warm, and by the handlers that it invokes. */
export interface WarmUse {
  readonly pollerCpuMs: number
  readonly handlerCpuMs: number
  readonly invocations: number
  /** Of the record's value. */
  readonly bytes: number
}

/**
 * Polls a backlog to its end.
 * @param uncounted so many first records are not counted
 * @throws Error if it ends before anything was counted
 */
export async function pollWarm(
  ground: Ground,
  shape: StreamShape,
  uncounted = warmRecords,
): Promise<WarmUse> {
  return await ground.withStream(shape, async (stream) => {
    const environment = { POLL_MAX_RECORDS: String(runRecords) }
    const poller = await ground.startPoller(stream, 1, { environment }, 60_000)
    let report = (await poller.next()) as RunReport
    let read = report.fetched
    let before: RunReport | null = null
    let counted = 0
    while (report.ended === 'records') {
      if (before === null && read >= uncounted) {
        before = report
        await ground.handled()
      }
      report = await poller.call('run', null)
      read += report.fetched
      if (before !== null) counted += report.fetched
    }
    const { cpuMs, invocations } = await ground.handled()
    await poller.stop()
    if (before === null || counted === 0) throw new Error(`The poller ended after ${read} records.`)
    return {
      pollerCpuMs: (report.cpuMs - before.cpuMs) / counted,
      handlerCpuMs: cpuMs / counted,
      invocations: invocations / counted,
      bytes: stream.bytes.value,
    }
  })
}
