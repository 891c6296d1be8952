import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { CheckpointStore } from '../checkpoint/store.ts'
import type { StreamConfig } from '../config.ts'
import { DtsError } from '../errors.ts'
import { openStream } from '../kafka/open-stream.ts'
import type { Stream } from '../kafka/stream.ts'
import { CredentialSource } from './credentials.ts'

/** Of each request to an AWS service. Without a limit one that does not answer would hold the run until Lambda ends it. */
export const requestLimits = {
  requestHandler: { connectionTimeout: 3_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
}

/** What poller and recovery both work with, made once per process from the configuration. */
export interface Connections {
  readonly store: CheckpointStore
  readonly openStream: () => Promise<Stream>
  /** What was wrong with the stored password and could be put right, for people; null when nothing was. */
  readonly passwordNote: () => string | null
}

export function connections(config: StreamConfig): Connections {
  const credentials = new CredentialSource(config, () => new SecretsManagerClient(requestLimits))
  // A topic whose partition is not named has one, and Kafka numbers it 0.
  const store = new CheckpointStore(
    new DynamoDBClient(requestLimits),
    config.checkpointTable,
    config.topic,
    config.partition ?? 0,
  )
  return {
    store,
    passwordNote: () => credentials.note,
    openStream: async () => {
      try {
        return await openStream(config, await credentials.get())
      } catch (error) {
        const refused = error instanceof DtsError && error.code === 'AUTHENTICATION_FAILED'
        if (!refused || !(await credentials.renew())) throw error
        return await openStream(config, await credentials.get())
      }
    },
  }
}
