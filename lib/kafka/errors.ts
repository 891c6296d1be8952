import type { StreamConfig } from '../config.ts'
import { DtsError } from '../errors.ts'
import { messageOf } from '../thrown.ts'
import { type BrokerAddress, formatAddress } from './address.ts'

/** What can be wrong with where the stream is, and what to do about it. */

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
  { broker: bootstrap, tls }: Pick<StreamConfig, 'broker' | 'tls'>,
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

export function notAllowed(node: BrokerAddress, bootstrap: BrokerAddress): DtsError {
  const where = formatAddress(node)
  return new DtsError(
    'NODE_NOT_ALLOWED',
    `${formatAddress(bootstrap)} names ${where} as the node that holds the data. It is neither a sibling of the ` +
      'bootstrap host nor a private address, so no credentials were sent to it. ' +
      `If it is right, add ${node.host} to DTS_ALLOWED_NODES.`,
    { retryable: false, facts: { node: where } },
  )
}
