import { startQueues } from '../../infra/local/queue.ts'
import { redriveTests } from './redrive.ts'

/** The queue of the local stack. */
redriveTests({
  async start() {
    const queues = await startQueues()
    return { ...queues, createQueue: async (_sqs, name) => queues.url(name) }
  },
})
