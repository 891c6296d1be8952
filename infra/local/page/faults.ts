import { setTimeout as sleep } from 'node:timers/promises'
import type { PollSummary } from '../../../lib/poll/summary.ts'
import type { FaultName } from '../../page/messages.ts'
import type { DStore } from '../dstore/dstore.ts'
import type { LocalStack } from '../stack.ts'

/** What the faults need of the emulator. */
type Faulty = Pick<DStore, 'clusterId' | 'connections' | 'switchCluster' | 'dropConnections'>

/** Causes a fault, as DTS or the network would. @returns what happened, for people */
export async function causeFault(dstore: Faulty, name: FaultName): Promise<string> {
  switch (name) {
    case 'cluster': {
      const before = dstore.clusterId
      await dstore.switchCluster({})
      return `DTS failed over from cluster ${before} to ${dstore.clusterId}; the next run of the poller finds out`
    }
    case 'connections': {
      const { connections } = dstore
      dstore.dropConnections()
      return `The emulator cut ${connections} connections; the poller connects again`
    }
  }
}

const mostAttempts = 20

/** Starts a run of the poller. A run that lost its connection may hold the lease for a moment. */
export async function runPoller({ invoke }: Pick<LocalStack, 'invoke'>, stopped: AbortSignal): Promise<void> {
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const answer = await invoke('poller', {})
    if (!answer.ok || (answer.result as PollSummary | null)?.ended !== 'lease-held') return
    await sleep(500, undefined, { signal: stopped })
  }
}
