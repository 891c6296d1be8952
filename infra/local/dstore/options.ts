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
  /** Of ListOffsets. Default: seconds, as DTS; milliseconds as plain Kafka. */
  readonly timeUnit?: 'seconds' | 'milliseconds'
  /** What a time before the first record finds. Default: nothing, as DTS; with milliseconds the first record. */
  readonly timeBeforeRange?: 'nothing' | 'earliest'
  /** Cut the last batch of a fetch where its byte limit falls, as a broker does. Default: true. */
  readonly truncateBatches?: boolean
  /** How many partitions Metadata names. Records are in partition 0 only. Default: 1. */
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
  /** Seconds since 1970; a fraction is kept to the millisecond. */
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

/** As a broker makes them: a random UUID, 16 bytes, in URL-safe base64 of 22 characters. */
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
