import { once } from 'node:events'
import { CreateTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import dynalite from 'dynalite'

/** A local server for an AWS API. */
export interface AwsEndpoint {
  /** `http://127.0.0.1:port`. It accepts any region and credentials. */
  readonly endpoint: string
  stop(): Promise<void>
}

/** No local server checks credentials, but the SDK needs some. */
export const localAws = {
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
}

/** Options of an SDK client for a local endpoint. */
export function localClient(endpoint: string) {
  return {
    endpoint,
    region: localAws.AWS_REGION,
    credentials: { accessKeyId: localAws.AWS_ACCESS_KEY_ID, secretAccessKey: localAws.AWS_SECRET_ACCESS_KEY },
  }
}

/** Starts an empty dynalite, an emulator of DynamoDB, inside this process. */
export async function startDynalite(): Promise<AwsEndpoint> {
  const server = dynalite({ createTableMs: 0, updateTableMs: 0, deleteTableMs: 0 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('dynalite has no TCP address.')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    async stop() {
      if (!server.listening) return
      const closed = new Promise<void>((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()))
      })
      server.closeAllConnections()
      await closed
    },
  }
}

/** The checkpoint table as infra/checkpoint-table.yml declares its keys. */
export async function createCheckpointTable(client: DynamoDBClient, name: string): Promise<void> {
  await client.send(
    new CreateTableCommand({
      TableName: name,
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  )
}
