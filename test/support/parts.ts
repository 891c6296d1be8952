import type { AwsEndpoint } from '../../infra/local/dynalite.ts'
import type { BrokerAddress } from '../../lib/kafka/address.ts'
import type { DataRange } from '../../lib/kafka/data-range.ts'

export interface NewRecord {
  readonly value: Buffer | null
  /** Seconds since 1970. */
  readonly timestamp: number
}

/** A tracked stream: one topic behind a bootstrap address that names another address as its node. */
export interface Source {
  readonly bootstrap: BrokerAddress
  readonly topic: string
  readonly clusterId: string
  /** The variables with which poller and recovery reach it. */
  readonly environment: Readonly<Record<string, string>>
  /** Connections that the node has accepted since the start. */
  readonly nodeConnections: number
  /** Appends the records, as one batch while they are few. */
  append(records: readonly NewRecord[]): Promise<void>
  /** From now on another cluster answers behind the same addresses; its log holds exactly these records. */
  switchCluster(records: readonly NewRecord[]): Promise<void>
  /** From now on the topic holds exactly these records, from offset 0; the cluster stays the same. */
  replaceLog(records: readonly NewRecord[]): Promise<void>
  /** Takes the records before an offset away. */
  trim(beforeOffset: bigint): Promise<void>
  range(): Promise<DataRange>
  /** What the consumer group holds. */
  committed(): Promise<{ readonly offset: bigint; readonly metadata: string | null } | null>
  /** Nobody answers any longer at the address that is named as the node. */
  hideNode(): Promise<void>
  stop(): Promise<void>
}

/** The parts that the product runs between. */
export interface Parts {
  readonly name: string
  startDynamo(): Promise<AwsEndpoint>
  startSource(options: { readonly partitions: number }): Promise<Source>
  stop(): Promise<void>
}
