import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { type AwsEndpoint, createCheckpointTable, startDynalite } from '../../../infra/local/dynalite.ts'
import { CheckpointStore } from '../../../lib/checkpoint/store.ts'
import { type Checkpoint, freshPosition, type Position, type Start } from '../../../lib/checkpoint/types.ts'

export const now = 1_795_433_580_000

export const start = (offset: bigint): Start => ({
  clusterId: 'c',
  position: freshPosition(offset, 1),
  replayUntil: null,
  entry: { at: now, by: 'test', how: 'start' },
})

export const at = (offset: bigint): Position => ({ ...start(offset).position, timestamp: Number(offset) })

export const tableName = 'checkpoints'

/** A DynamoDB table for the tests of the surrounding suite. */
export class CheckpointTable {
  #dynamo: AwsEndpoint | undefined
  #client: DynamoDBClient | undefined
  #topics = 0

  constructor() {
    before(async () => {
      this.#dynamo = await startDynalite()
      this.#client = clientOf(this.#dynamo)
      await createCheckpointTable(this.#client, tableName)
    })
    after(async () => {
      this.#client?.destroy()
      await this.#dynamo?.stop()
    })
  }

  get client(): DynamoDBClient {
    assert.ok(this.#client !== undefined)
    return this.#client
  }

  /** The store of a topic that no other test uses. */
  fresh(): CheckpointStore {
    return new CheckpointStore(this.client, tableName, `topic${this.#topics++}`, 0)
  }

  /** A checkpoint at offset 10 with a released lease. */
  async released(): Promise<CheckpointStore> {
    const store = this.fresh()
    await store.release(await store.create(start(10n), 'first', now + 1_000))
    return store
  }
}

export function clientOf({ endpoint }: AwsEndpoint, options: { readonly maxAttempts?: number } = {}) {
  const credentials = { accessKeyId: 'x', secretAccessKey: 'x' }
  return new DynamoDBClient({ endpoint, region: 'eu-central-1', credentials, ...options })
}

export async function read(store: CheckpointStore): Promise<Checkpoint> {
  const found = await store.read()
  assert.ok(found !== null)
  return found
}
