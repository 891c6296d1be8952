import type { ApiName } from './api-names.ts'
import type { EncodedBatch } from './batch.ts'
import type { Groups } from './groups.ts'
import type { Log } from './log.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** Counts events since the start. A test reads here that its fault fired. */
export interface Counters {
  connectionsAccepted: { proxy: number; node: number }
  /** Connections that `dropConnections` or `switchCluster` cut. */
  connectionsDropped: number
  /** Connections closed because a frame was not a request of the protocol. */
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
  /** Fetch answers without records. */
  emptyFetches: number
  answersDelayed: number
  clusterSwitches: number
}

/** The state that the API handlers read and change. */
export interface Broker {
  readonly topic: string
  readonly partitions: number
  readonly user: string
  readonly password: string
  /** null: plain Kafka, any group, the user name without a sid. */
  readonly sid: string | null
  /** The unit of ListOffsets in both directions: seconds on DTS, milliseconds on plain Kafka. */
  readonly timeUnit: 'seconds' | 'milliseconds'
  /** The answer for a time before the first record. */
  readonly timeBeforeRange: 'nothing' | 'earliest'
  readonly truncateBatches: boolean
  readonly advertisedVersions: readonly ApiVersionRange[]
  readonly log: Log
  readonly groups: Groups
  readonly clusterId: string
  readonly advertised: Address
  readonly credentialsRefused: boolean
  readonly counters: Counters
  /** The delay of every answer, in milliseconds. */
  readonly answerDelayMs: number
  readonly requests: Record<ApiName, number>
  /** Appends the batches of a producer after all pending appends. Resolves to the first offset. */
  appendBatches(batches: readonly EncodedBatch[]): Promise<bigint>
}

export interface ApiVersionRange {
  readonly key: number
  readonly min: number
  readonly max: number
}

/** The connection of a request, as the API handlers see it. */
export interface Session {
  /** `raw-token`: after SaslHandshake v0, the next frame is the bare SASL token. */
  state: 'new' | 'handshaken' | 'raw-token' | 'authenticated' | 'refused'
  /** Aborts when the connection ends, so that no handler keeps waiting for it. */
  readonly closed: AbortSignal
}

export const nodeId = 0

export function isKnownPartition(broker: Broker, topic: string, partition: number): boolean {
  return topic === broker.topic && partition >= 0 && partition < broker.partitions
}

/** DTS serves only one group, the sid. Counts each refusal. */
export function isGroupRefused(broker: Broker, groupId: string): boolean {
  if (broker.sid === null || groupId === broker.sid) return false
  broker.counters.groupsRefused += 1
  return true
}
