import type { AwsEndpoint } from '../../infra/local/dynalite.ts'
import type { BrokerAddress } from '../../lib/kafka/address.ts'
import type { DataRange } from '../../lib/kafka/data-range.ts'

export interface NewRecord {
  readonly value: Buffer | null
  /** Seconds since 1970. */
  readonly timestamp: number
}

/** A tracked stream: one topic, whose bootstrap address names another address as the node. */
export interface Source {
  readonly bootstrap: BrokerAddress
  readonly topic: string
  readonly clusterId: string
  /** The environment variables with which poller and recovery reach it. */
  readonly environment: Readonly<Record<string, string>>
  /** Connections that the node has accepted since the start. */
  readonly nodeConnections: number
  /** Appends the records. A few records form one batch. */
  append(records: readonly NewRecord[]): Promise<void>
  /** Lets another cluster answer at the same addresses. Its log holds exactly these records. */
  switchCluster(records: readonly NewRecord[]): Promise<void>
  /** Replaces the topic's log with these records, from offset 0. The cluster stays the same. */
  replaceLog(records: readonly NewRecord[]): Promise<void>
  /** Deletes the records before an offset. */
  trim(beforeOffset: bigint): Promise<void>
  range(): Promise<DataRange>
  /** The commit of the consumer group. */
  committed(): Promise<{ readonly offset: bigint; readonly metadata: string | null } | null>
  /** Makes the node's address unreachable. */
  hideNode(): Promise<void>
  stop(): Promise<void>
}

/** The parts around the product. */
export interface Parts {
  readonly name: string
  startDynamo(): Promise<AwsEndpoint>
  startSource(options: { readonly partitions: number }): Promise<Source>
  stop(): Promise<void>
}
