import { join } from 'node:path'
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb'
import type { AwsEndpoint } from '../../infra/local/dynalite.ts'
import { freePort } from '../../infra/local/ports.ts'
import { scratchDirectory, startProcess, whenReady } from './process.ts'
import { jars, javaCommand } from './tools.ts'

/** Starts Amazon's own DynamoDB Local, empty, in memory. */
export async function startDynamoDbLocal(): Promise<AwsEndpoint> {
  const java = javaCommand()
  const libraries = await jars('maven/dynamodb-local')
  const port = await freePort()
  const server = startProcess({
    name: 'DynamoDB Local',
    command: java,
    args: [
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      `-Djava.library.path=${libraries}`,
      '-cp',
      join(libraries, '*'),
      'com.amazonaws.services.dynamodbv2.local.main.ServerRunner',
      '-inMemory',
      '-sharedDb',
      '-disableTelemetry',
      '-port',
      String(port),
    ],
    scratch: scratchDirectory('dynamodb-local'),
  })
  const endpoint = `http://127.0.0.1:${port}`
  const credentials = { accessKeyId: 'rig', secretAccessKey: 'rig' }
  const client = new DynamoDBClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 })
  try {
    await whenReady('DynamoDB Local', server, async () => {
      await client.send(new ListTablesCommand({}), { abortSignal: AbortSignal.timeout(10_000) })
    })
  } finally {
    client.destroy()
  }
  return { endpoint, stop: server.stop }
}
