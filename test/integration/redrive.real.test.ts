import { CreateQueueCommand } from '@aws-sdk/client-sqs'
import { startMoto } from '../rig/moto.ts'
import { redriveTests } from './redrive.ts'

redriveTests({
  async start() {
    const moto = await startMoto()
    return {
      ...moto,
      async createQueue(sqs, QueueName) {
        const { QueueUrl = '' } = await sqs.send(
          new CreateQueueCommand({ QueueName, Attributes: { FifoQueue: 'true' } }),
        )
        return QueueUrl
      },
    }
  },
})
