import type { ApiName } from './api-names.ts'
import type { EncodedBatch } from './batch.ts'
import type { Groups } from './groups.ts'
import type { Log } from './log.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** How often each thing happened since the start. A test reads here that the fault it asked for came about. */
export interface Counters {
  connectionsAccepted: { proxy: number; node: number }
  /** Connections that `dropConnections` or `switchCluster` cut. */
  connectionsDropped: number
  /** Connections closed because of a frame that is no request of the protocol. */
  badFrames: number
  credentialsRefused: number
  /** Requests refused because their group is not the sid. */
  groupsRefused: number
  /** Commits refused because their metadata does not start with a timestamp. */
  commitsRefused: number
  commits: number
  outOfRange: number
  /** Fetch answers whose last batch was cut off. */
  truncatedFetches: number
  /** Fetch answers without a record. */
  emptyFetches: number
  answersDelayed: number
  clusterSwitches: number
}

/** What the API handlers work on. */
export interface Broker {
  readonly topic: string
  readonly partitions: number
  readonly user: string
  readonly password: string
  /** null: plain Kafka, any group, the user name without a sid. */
  readonly sid: string | null
  /** The unit of ListOffsets, asked and answered: seconds on DTS, milliseconds on plain Kafka. */
  readonly timeUnit: 'seconds' | 'milliseconds'
  /** What a time before the first record finds. */
  readonly timeBeforeRange: 'nothing' | 'earliest'
  readonly truncateBatches: boolean
  readonly advertisedVersions: readonly ApiVersionRange[]
  readonly log: Log
  readonly groups: Groups
  readonly clusterId: string
  readonly advertised: Address
  readonly credentialsRefused: boolean
  readonly counters: Counters
  /** Milliseconds that every answer is held back. */
  readonly answerDelayMs: number
  readonly requests: Record<ApiName, number>
  /** Appends what a producer sent, behind every append under way; resolves to the first offset. */
  appendBatches(batches: readonly EncodedBatch[]): Promise<bigint>
}

export interface ApiVersionRange {
  readonly key: number
  readonly min: number
  readonly max: number
}

/** What the APIs know of the connection that a request came on. */
export interface Session {
  /** `raw-token`: after SaslHandshake v0, the next frame is the bare SASL token. */
  state: 'new' | 'handshaken' | 'raw-token' | 'authenticated' | 'refused'
  /** Aborts when the connection is gone, so that nothing waits for it. */
  readonly closed: AbortSignal
}

export const nodeId = 0

export function isKnownPartition(broker: Broker, topic: string, partition: number): boolean {
  return topic === broker.topic && partition >= 0 && partition < broker.partitions
}

/** DTS serves one group only: the sid. Counts a refusal. */
export function isGroupRefused(broker: Broker, groupId: string): boolean {
  if (broker.sid === null || groupId === broker.sid) return false
  broker.counters.groupsRefused += 1
  return true
}
