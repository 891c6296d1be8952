import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { ColumnHistory } from './column-history.ts'
import { encodeNumber } from './item.ts'
import { CheckpointTable } from './table.ts'

/** The history as it was read, to be written back. */
export interface StoredColumns {
  readonly history: ColumnHistory
  /** Rises with each write; 0 if there is no item. */
  readonly revision: number
}

/**
 * The item beside the checkpoint that keeps the columns of the stream's tables. Deliveries do not depend on it. A write that is lost
 * only causes a second notice, and an item that this version of the code cannot read counts as absent. Each method throws
 * CHECKPOINT_TABLE_UNAVAILABLE if DynamoDB cannot be used.
 */
export class ColumnStore {
  readonly #table: CheckpointTable

  /** @param stream the key of the stream's checkpoint. The roles of poller and recovery reach the keys that begin like it */
  constructor(client: DynamoDBClient, table: string, stream: string) {
    this.#table = new CheckpointTable(client, table, `${stream}/columns`)
  }

  /** A consistent read. */
  async read(): Promise<StoredColumns> {
    const item = await this.#table.attributes()
    const bytes = item?.tables?.B
    const history = bytes === undefined ? null : ColumnHistory.decode(bytes)
    return { history: history ?? new ColumnHistory(), revision: Number(item?.revision?.N ?? 0) }
  }

  /** @returns false if another run wrote since the read */
  async write({ history, revision }: StoredColumns): Promise<boolean> {
    const written = await this.#table.write({
      attributes: { tables: { B: history.encode() }, revision: encodeNumber(revision + 1) },
      conditions:
        revision === 0
          ? { expressions: { noItem: 'attribute_not_exists(#revision)' }, values: {} }
          : { expressions: { asRead: '#revision = :read' }, values: { ':read': encodeNumber(revision) } },
    })
    return written === 'applied'
  }
}
