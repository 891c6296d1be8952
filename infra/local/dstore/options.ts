import { randomBytes } from 'node:crypto'
import { type ApiName, apiNames } from './api-names.ts'
import type { VersionCeilings } from './apis/index.ts'
import type { Counters } from './broker.ts'

export interface DStoreOptions {
  readonly topic?: string
  readonly user?: string
  readonly password?: string
  /** The consumer group, the only one served. null: plain Kafka, any group, the user name without a sid. */
  readonly sid?: string | null
  readonly clusterId?: string
  /** The offset of the first record. */
  readonly firstOffset?: bigint
  /** The unit of ListOffsets. Default: seconds as in DTS, milliseconds as plain Kafka. */
  readonly timeUnit?: 'seconds' | 'milliseconds'
  /** The answer for a time before the first record. Default: nothing as in DTS, the first record as plain Kafka. */
  readonly timeBeforeRange?: 'nothing' | 'earliest'
  /** Cut the last batch of a fetch at the byte limit, like a broker. Default: true. */
  readonly truncateBatches?: boolean
  /** The number of partitions in Metadata. Records are in partition 0 only. Default: 1. */
  readonly partitions?: number
  /** Two listeners: the bootstrap address (`start`'s answer) and the node that Metadata names. Default: false. */
  readonly proxy?: boolean
  readonly versionCeilings?: VersionCeilings
  /** The bootstrap port. Default: a free one. */
  readonly port?: number
  /** Default: 127.0.0.1. */
  readonly host?: string
}

export interface NewRecord {
  readonly value: Buffer | null
  /** Seconds since 1970, with a fraction down to the millisecond. */
  readonly timestamp: number
  readonly key?: Buffer | null
}

export interface DStoreRecord {
  readonly offset: bigint
  /** Seconds since 1970. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/** A cluster id in a broker's form: a random UUID in URL-safe base64, 22 characters. */
export function newClusterId(): string {
  return randomBytes(16).toString('base64url')
}

export function newRequestCounts(): Record<ApiName, number> {
  return Object.fromEntries(apiNames.map((name) => [name, 0])) as Record<ApiName, number>
}

export function newCounters(): Counters {
  return {
    connectionsAccepted: { proxy: 0, node: 0 },
    connectionsDropped: 0,
    badFrames: 0,
    credentialsRefused: 0,
    groupsRefused: 0,
    commitsRefused: 0,
    commits: 0,
    outOfRange: 0,
    truncatedFetches: 0,
    emptyFetches: 0,
    answersDelayed: 0,
    clusterSwitches: 0,
  }
}
