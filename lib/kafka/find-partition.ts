import { type BrokerAddress, formatAddress } from './address.ts'
import type { BrokerConfig } from './broker-config.ts'
import { ask, brokerFailed, protocolErrorType } from './broker-request.ts'
import type { NodeConnection } from './connection.ts'
import { clusterUnnamed, partitionUnknown, topicUnknown } from './open-errors.ts'

interface FoundPartition {
  readonly clusterId: string
  readonly partition: number
  readonly leader: BrokerAddress
}

const topicErrors: ReadonlySet<string> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'TOPIC_AUTHORIZATION_FAILED',
  'INVALID_TOPIC_EXCEPTION',
])

/** Asks a node which partition to read, and which node leads it. @throws DtsError TOPIC_UNKNOWN, PARTITION_UNKNOWN, … */
export async function findPartition(node: NodeConnection, config: BrokerConfig): Promise<FoundPartition> {
  const { topic } = config
  const where = formatAddress(node.address)
  const metadata = await topicMetadata(node, topic)
  const partitions =
    metadata.topicMetadata.find((candidate) => candidate.topic === topic)?.partitionMetadata ?? []
  if (partitions.length === 0) throw topicUnknown(topic, where, 'no partitions', undefined)
  const wanted = config.partition ?? (partitions.length === 1 ? partitions[0]?.partitionId : undefined)
  const partition = partitions.find(({ partitionId }) => partitionId === wanted)
  if (partition === undefined) throw partitionUnknown(topic, partitions.length, wanted)
  const leader = metadata.brokers.find(({ nodeId }) => nodeId === partition.leader)
  if (leader === undefined) {
    throw brokerFailed(where, 'metadata', new Error(`partition ${partition.partitionId} has no leader now`))
  }
  if (!metadata.clusterId) throw clusterUnnamed(where)
  return { clusterId: metadata.clusterId, partition: partition.partitionId, leader }
}

async function topicMetadata(node: NodeConnection, topic: string) {
  const where = formatAddress(node.address)
  try {
    return await node.broker.metadata([topic])
  } catch (cause) {
    const type = protocolErrorType(cause)
    if (type !== null && topicErrors.has(type)) throw topicUnknown(topic, where, type, cause)
    throw brokerFailed(where, 'metadata', cause)
  }
}

/**
 * Asks a node for its own cluster id. DTS can move to another cluster between two connections. Then the bootstrap's
 * answer is not true of the records that the node yields.
 */
export async function clusterIdOf(node: NodeConnection, topic: string): Promise<string> {
  // The bootstrap found the topic, so an unknown topic here is no mistake of the set-up.
  const { clusterId } = await ask(node.address, 'metadata', () => node.broker.metadata([topic]))
  if (!clusterId) throw clusterUnnamed(formatAddress(node.address))
  return clusterId
}
