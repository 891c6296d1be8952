import { DtsError } from '../errors.ts'
import { messageOf } from '../text/thrown.ts'
import { type BrokerAddress, formatAddress } from './address.ts'
import type { BrokerConfig } from './types.ts'

/** What can be wrong with where the stream is, and what to do about it. */

/** Without its id, a change of the cluster looks like a restart, and an old offset would be trusted. */
export function clusterUnnamed(where: string): DtsError {
  return new DtsError(
    'PROTOCOL_UNSUPPORTED',
    `${where} does not name its cluster (Metadata below version 2, or an empty id), so a cluster change could not be ` +
      'noticed. Nothing was read. Ask DTS support for a node that names its cluster.',
    { retryable: false, facts: { broker: where } },
  )
}

export function topicUnknown(topic: string, where: string, reason: string, cause: unknown): DtsError {
  return new DtsError(
    'TOPIC_UNKNOWN',
    `${where} has no topic ${topic} for this user (${reason}). Check DTS_TOPIC against the DTS console.`,
    { retryable: false, facts: { topic, broker: where }, cause },
  )
}

export function unreachable(
  which: 'BROKER' | 'NODE',
  address: BrokerAddress,
  cause: unknown,
  { broker: bootstrap, tls }: Pick<BrokerConfig, 'broker' | 'tls'>,
) {
  const where = formatAddress(address)
  const reason = messageOf(cause)
  return which === 'BROKER'
    ? new DtsError(
        'BROKER_UNREACHABLE',
        `${where} cannot be reached (${reason}). Check DTS_BROKER_URL, and that the function's VPC, ` +
          `security group and DNS allow the connection.${tls ? ' DTS_TLS is true: DTS documents no TLS.' : ''}`,
        { retryable: true, facts: { broker: where }, cause },
      )
    : new DtsError(
        'NODE_UNREACHABLE',
        `${formatAddress(bootstrap)} answers and names ${where} as the node ` +
          `that holds the data, but that node cannot be reached (${reason}). Allow the function's VPC to connect to it.`,
        { retryable: true, facts: { node: where }, cause },
      )
}

/** @param role what the node is for, such as `the node that holds the data` */
export function notAllowed(node: BrokerAddress, bootstrap: BrokerAddress, role: string): DtsError {
  const where = formatAddress(node)
  return new DtsError(
    'NODE_NOT_ALLOWED',
    `${formatAddress(bootstrap)} names ${where} as ${role}. That is neither a host of the same endpoint nor a private ` +
      'address, or it is an address of this machine or of a metadata service. So no credentials were sent to it, and ' +
      `nothing was read. If Alibaba Cloud confirms that host, add ${node.host} to DTS_ALLOWED_NODES and deploy.`,
    { retryable: false, facts: { node: where } },
  )
}
