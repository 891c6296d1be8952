import { isSameAddress } from './address.ts'
import type { BrokerConfig } from './broker-config.ts'
import { checkNode } from './check-node.ts'
import { type Credentials, connectNode } from './connection.ts'
import { clusterIdOf, findPartition } from './find-partition.ts'
import { unreachable } from './open-errors.ts'
import { PartitionStream } from './partition-stream.ts'
import type { Stream } from './stream.ts'

/**
 * Connects to the bootstrap address, asks it for the node that leads the partition, and connects to that node.
 * @throws DtsError BROKER_UNREACHABLE, NODE_UNREACHABLE, NODE_NOT_ALLOWED, AUTHENTICATION_FAILED, TOPIC_UNKNOWN,
 *   PARTITION_UNKNOWN, PROTOCOL_UNSUPPORTED, BROKER_FAILED
 */
export async function openStream(config: BrokerConfig, credentials: Credentials | null): Promise<Stream> {
  const options = { tls: config.tls, credentials, clientId: 'dts-functions' }
  const bootstrap = await connectNode(config.broker, options, (cause) =>
    unreachable('BROKER', config.broker, cause, config),
  )
  try {
    const { clusterId, partition, leader } = await findPartition(bootstrap, config)
    checkNode(leader, 'the node that holds the data', bootstrap.address, config)
    if (isSameAddress(leader, config.broker)) {
      return new PartitionStream(config, clusterId, partition, bootstrap, options)
    }
    const node = await connectNode(leader, options, (cause) => unreachable('NODE', leader, cause, config))
    try {
      const ownId = await clusterIdOf(node, config.topic)
      await bootstrap.close()
      return new PartitionStream(config, ownId, partition, node, options)
    } catch (error) {
      await node.close()
      throw error
    }
  } catch (error) {
    await bootstrap.close()
    throw error
  }
}
