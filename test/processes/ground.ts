import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { createCheckpointTable } from '../../infra/local/dynalite.ts'
import { freePort } from '../../infra/local/ports.ts'
import { startDynamoDbLocal } from '../rig/dynamodb-local.ts'
import { startKafka } from '../rig/kafka.ts'
import { startProxy, type Proxy as TcpProxy } from '../rig/proxy.ts'

export const checkpoints = 'checkpoints'
export const credentials = { accessKeyId: 'rig', secretAccessKey: 'rig' }
export const region = 'us-east-1'

/** The parts that all tests of a file share. */
export interface Ground {
  /** All pollers and producers use the Kafka proxy. A poller may also use the other two. */
  readonly proxies: { readonly kafka: TcpProxy; readonly dynamo: TcpProxy }
  readonly dynamoEndpoint: string
  readonly client: DynamoDBClient
  createTopic(name: string): Promise<void>
  stop(): Promise<void>
}

export async function startGround(): Promise<Ground> {
  const proxyPort = await freePort()
  const [broker, dynamo] = await Promise.all([
    startKafka({ release: 'current', sasl: false, advertisedPort: proxyPort }),
    startDynamoDbLocal(),
  ])
  const kafka = await startProxy({ host: broker.host, port: broker.port }, proxyPort)
  const dynamoProxy = await startProxy({ host: '127.0.0.1', port: Number(new URL(dynamo.endpoint).port) })
  const client = new DynamoDBClient({ endpoint: dynamo.endpoint, region, credentials })
  await createCheckpointTable(client, checkpoints)
  return {
    proxies: { kafka, dynamo: dynamoProxy },
    dynamoEndpoint: dynamo.endpoint,
    client,
    createTopic: (name) => broker.createTopic(name),
    async stop() {
      client.destroy()
      await Promise.all([kafka.stop(), dynamoProxy.stop()])
      await Promise.all([broker.stop(), dynamo.stop()])
    },
  }
}
