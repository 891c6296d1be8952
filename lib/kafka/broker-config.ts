import type { BrokerAddress } from './address.ts'
import type { Deployment } from './commit-mark.ts'

/** How to reach a stream. */
export interface BrokerConfig {
  /** The bootstrap address. */
  readonly broker: BrokerAddress
  readonly topic: string
  /** If undefined, the topic must have exactly one partition. */
  readonly partition: number | undefined
  /** `dts`: a DStore, times in seconds. `kafka`: DTS records in a plain Kafka topic, times in milliseconds. */
  readonly mode: 'dts' | 'kafka'
  readonly group: string
  readonly tls: boolean
  /** Hosts that may receive the credentials, in addition to those that always may; see `isAllowedNode`. */
  readonly allowedNodes: readonly string[]
  /** The name of this deployment in the consumer group. */
  readonly deployment: Deployment
}

/** The most that one fetch may ask for, in bytes. */
export const maxFetchBytes = 64 * 1024 * 1024
