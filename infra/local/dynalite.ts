import { once } from 'node:events'
import { CreateTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import dynalite from 'dynalite'

/** A server that speaks an AWS API on this machine. */
export interface AwsEndpoint {
  /** `http://127.0.0.1:port`; any region and any credentials do. */
  readonly endpoint: string
  stop(): Promise<void>
}

/** None of the local servers checks them, but the SDK wants some. */
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

/** Starts dynalite, an emulator of DynamoDB in Node, empty, inside this process. */
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
