import kafkajs from 'kafkajs/src/errors.js'
import { DtsError } from '../errors.ts'
import { messageOf } from '../text/thrown.ts'
import { type BrokerAddress, formatAddress } from './address.ts'
import type { BrokerConfig } from './broker-config.ts'
import { brokerFailed } from './broker-request.ts'

/** The errors of opening a stream: a wrong address, a wrong login, a wrong topic. */

/** Without a cluster id, a cluster change looks like a restart, and the poller would trust an old offset. */
export function clusterUnnamed(where: string): DtsError {
  return new DtsError(
    'PROTOCOL_UNSUPPORTED',
    `${where} does not name its cluster (Metadata below version 2, or an empty id), so the poller could not detect a ` +
      'cluster change. Nothing was read. Ask DTS support for a node that names its cluster.',
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

export function partitionUnknown(topic: string, partitions: number, wanted: number | undefined): DtsError {
  return new DtsError(
    'PARTITION_UNKNOWN',
    wanted === undefined
      ? `Topic ${topic} has ${partitions} partitions. Set DTS_PARTITIONS to that number and deploy: each partition gets a poller.`
      : `Topic ${topic} has ${partitions} partition(s), and no partition ${wanted}. Correct DTS_PARTITION.`,
    { retryable: false, facts: { topic, partitions } },
  )
}

export function unreachable(
  which: 'BROKER' | 'NODE',
  address: BrokerAddress,
  cause: unknown,
  { broker: bootstrap, tls }: Pick<BrokerConfig, 'broker' | 'tls'>,
): DtsError {
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

export interface Login {
  readonly tls: boolean
  readonly user: string
  /** Whether the broker answers a wrong login only by closing the connection, as Kafka 0.11 does. */
  readonly refusesInSilence: boolean
}

/** The connection was accepted, but the handshake failed. @param hasAnswered whether the broker listed its API versions */
export function handshakeFailed(
  address: BrokerAddress,
  { tls, user, refusesInSilence }: Login,
  cause: unknown,
  hasAnswered: boolean,
): DtsError {
  const where = formatAddress(address)
  const reason = messageOf(cause)
  if (isRefusal(cause, refusesInSilence)) {
    return new DtsError(
      'AUTHENTICATION_FAILED',
      `${where} refuses the user ${user} (${reason}). DTS expects <user>-<sid> and the consumer group's password: ` +
        'check DTS_USER, DTS_SID and the stored password.',
      { retryable: false, facts: { broker: where, user }, cause },
    )
  }
  if (hasAnswered) return brokerFailed(where, 'authentication', cause)
  return new DtsError(
    'PROTOCOL_UNSUPPORTED',
    `${where} accepts connections but does not answer as a Kafka broker ` +
      `${tls ? 'over TLS' : 'without TLS'} (${reason}). Check the port of DTS_BROKER_URL, and DTS_TLS.`,
    { retryable: true, facts: { broker: where, tls }, cause },
  )
}

/** A lost connection is no refusal: with other credentials it would be lost, too. */
function isRefusal(cause: unknown, refusesInSilence: boolean): boolean {
  return (
    // The broker does not have the mechanism PLAIN.
    cause instanceof kafkajs.KafkaJSSASLAuthenticationError ||
    (cause instanceof kafkajs.KafkaJSProtocolError && cause.type === 'SASL_AUTHENTICATION_FAILED') ||
    // An error of the network would have a code.
    (refusesInSilence && cause instanceof kafkajs.KafkaJSConnectionError && !('code' in cause && cause.code))
  )
}
