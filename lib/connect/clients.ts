import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import type { S3Client } from '@aws-sdk/client-s3'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { SQSClient } from '@aws-sdk/client-sqs'
import { ColumnStore } from '../checkpoint/column-store.ts'
import { CheckpointStore } from '../checkpoint/store.ts'
import type { SourceConfig, StreamConfig } from '../config.ts'
import { DtsError } from '../errors.ts'
import { openStream } from '../kafka/open-stream.ts'
import type { Stream } from '../kafka/stream.ts'
import { CredentialSource } from './credentials.ts'
import type { TextStores } from './stored-text.ts'

/** The limits of a request to an AWS service. Without them, a service that does not answer would hold the run until Lambda ends it. */
export const requestLimits = {
  requestHandler: { connectionTimeout: 3_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
}

/** The connections of poller and recovery, made once per process from the configuration. */
export interface Connections {
  readonly store: CheckpointStore
  readonly columnStore: ColumnStore
  readonly openStream: () => Promise<Stream>
  /** The dead-letter queue. Its client is loaded and made with the first letter: most runs have none and start sooner. */
  readonly sqs: () => Promise<SQSClient>
  /** The bucket of dead letters, likewise. */
  readonly s3: () => Promise<S3Client>
  /** A fault of the stored password that was corrected, for people; null if there was none. */
  readonly passwordNote: () => string | null
}

export function connections(config: StreamConfig): Connections {
  const { open, passwordNote } = streamOpener(config)
  // Without a configured partition, the topic has one, and Kafka numbers it 0.
  const partition = config.partition ?? 0
  const dynamo = new DynamoDBClient(requestLimits)
  let sqs: SQSClient | undefined
  let s3: S3Client | undefined
  return {
    store: new CheckpointStore(dynamo, config.checkpointTable, streamName(config), partition),
    columnStore: new ColumnStore(dynamo, config.checkpointTable, `${streamName(config)}/${partition}`),
    sqs: async () => (sqs ??= new (await import('@aws-sdk/client-sqs')).SQSClient(requestLimits)),
    s3: async () => (s3 ??= new (await import('@aws-sdk/client-s3')).S3Client(requestLimits)),
    passwordNote,
    openStream: open,
  }
}

/** Opens a stream with the configured credentials. If the broker refuses them, they are read again: they may have been rotated. */
export function streamOpener(config: SourceConfig): {
  readonly open: () => Promise<Stream>
  readonly passwordNote: () => string | null
} {
  const credentials = new CredentialSource(config, textStores)
  return {
    passwordNote: () => credentials.note,
    open: async () => {
      try {
        return await openStream(config, await credentials.get())
      } catch (error) {
        const isRefused = error instanceof DtsError && error.code === 'AUTHENTICATION_FAILED'
        if (!isRefused || !(await credentials.renew())) throw error
        return await openStream(config, await credentials.get())
      }
    },
  }
}

/** In the item's key. Two sources may read topics of one name; a topic's name has no colon. */
export function streamName({ source, topic }: Pick<StreamConfig, 'source' | 'topic'>): string {
  return source === '' ? topic : `${source}:${topic}`
}

/** The text of a secret; undefined if it is binary. A stream without a login makes no such client. */
async function readSecret(secretId: string): Promise<string | undefined> {
  const client = new SecretsManagerClient(requestLimits)
  return (await client.send(new GetSecretValueCommand({ SecretId: secretId }))).SecretString
}

/** The text of an SSM parameter. Only a stream that has one loads this client. */
async function readParameter(name: string): Promise<string | undefined> {
  const { GetParameterCommand, SSMClient } = await import('@aws-sdk/client-ssm')
  const client = new SSMClient(requestLimits)
  return (await client.send(new GetParameterCommand({ Name: name, WithDecryption: true }))).Parameter?.Value
}

/** Where AWS stores passwords and keys. */
export const textStores: TextStores = { secret: readSecret, parameter: readParameter }

/** Asks Lambda whether it would invoke a function, without doing so. */
export async function probeFunction(name: string): Promise<void> {
  const client = new LambdaClient(requestLimits)
  try {
    await client.send(new InvokeCommand({ FunctionName: name, InvocationType: 'DryRun' }))
  } finally {
    client.destroy()
  }
}
