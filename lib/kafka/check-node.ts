import { DtsError } from '../errors.ts'
import { type BrokerAddress, formatAddress, isAddress, isAllowedNode } from './address.ts'
import type { BrokerConfig } from './broker-config.ts'
import { brokerFailed } from './broker-request.ts'

/**
 * Checks an address that a broker named, before credentials are sent to it.
 * @param role what the node is for, such as `the node that holds the data`
 * @param source the broker that named it
 * @throws DtsError NODE_NOT_ALLOWED; BROKER_FAILED if it is no address, as from a broker that is starting
 */
export function checkNode(
  node: BrokerAddress,
  role: string,
  source: BrokerAddress,
  { broker, allowedNodes }: Pick<BrokerConfig, 'broker' | 'allowedNodes'>,
): void {
  if (!isAddress(node)) {
    const named = JSON.stringify(`${node.host}:${node.port}`)
    const reason = new Error(`it names ${named} as ${role}, which is no address`)
    throw brokerFailed(formatAddress(source), 'metadata', reason)
  }
  if (!isAllowedNode(node, broker, allowedNodes)) throw notAllowed(node, broker, role)
}

function notAllowed(node: BrokerAddress, bootstrap: BrokerAddress, role: string): DtsError {
  const where = formatAddress(node)
  return new DtsError(
    'NODE_NOT_ALLOWED',
    `${formatAddress(bootstrap)} names ${where} as ${role}. That is neither a host of the same endpoint nor a private ` +
      'address, or it is an address of this machine or of a metadata service. So no credentials were sent to it, and ' +
      `nothing was read. If Alibaba Cloud confirms that host, add ${node.host} to DTS_ALLOWED_NODES and deploy.`,
    { retryable: false, facts: { node: where } },
  )
}
