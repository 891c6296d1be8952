import type { AwsEndpoint } from '../../infra/local/dynalite.ts'
import type { BrokerAddress } from '../../lib/kafka/address.ts'
import type { DataRange } from '../../lib/kafka/data-range.ts'

export interface NewRecord {
  readonly value: Buffer | null
  /** Seconds since 1970. */
  readonly timestamp: number
}

/** A tracked stream: one topic at a bootstrap address that names another address as its node. */
export interface Source {
  readonly bootstrap: BrokerAddress
  readonly topic: string
  readonly clusterId: string
  /** The variables that lead poller and recovery to it. */
  readonly environment: Readonly<Record<string, string>>
  /** How many connections the node has accepted since the start. */
  readonly nodeConnections: number
  /** Appends the records. Few records become one batch. Only a real Kafka takes another partition than 0. */
  append(records: readonly NewRecord[], partition?: number): Promise<void>
  /** From now on another cluster answers at the same addresses. Its log holds exactly these records. */
  switchCluster(records: readonly NewRecord[]): Promise<void>
  /** From now on the topic holds exactly these records, from offset 0. The cluster stays the same. */
  replaceLog(records: readonly NewRecord[]): Promise<void>
  /** Removes the records before an offset. */
  trim(beforeOffset: bigint): Promise<void>
  range(): Promise<DataRange>
  /** The commit of the consumer group. */
  committed(): Promise<{ readonly offset: bigint; readonly metadata: string | null } | null>
  /** From now on nothing answers at the node's address. */
  hideNode(): Promise<void>
  stop(): Promise<void>
}

/** The services that the product runs on. */
export interface Parts {
  readonly name: string
  startDynamo(): Promise<AwsEndpoint>
  startSource(options: { readonly partitions: number }): Promise<Source>
  stop(): Promise<void>
}
