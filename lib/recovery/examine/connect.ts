import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import type { StreamConfig } from '../../config.ts'
import { DtsError, type ErrorCode } from '../../errors.ts'
import { type BrokerAddress, formatAddress } from '../../kafka/address.ts'
import type { Stream } from '../../kafka/stream.ts'
import type { RecoveryDependencies } from '../dependencies.ts'
import { type CheckList, describeFault, type Finding, found } from './checks.ts'

/** The checks of the way to the broker, from DNS to the node that holds the data. */

export interface ConnectDependencies extends Pick<RecoveryDependencies, 'openStream'> {
  readonly config: Pick<StreamConfig, 'broker' | 'topic' | 'user'>
  /** A fault of the stored password that was corrected on reading, for people; null if there was none. */
  readonly passwordNote: () => string | null
}

const connectTimeoutMs = 5_000
const nameCheck = 'DNS'
const addressCheck = 'TCP to the broker address'
const connectSteps = ['credentials', 'topic', 'TCP to the node'] as const
/** The lines that say why a stream cannot be opened. */
export const connectionChecks: ReadonlySet<string> = new Set([nameCheck, addressCheck, ...connectSteps])

/** @returns the stream; undefined if it cannot be opened. The caller closes it. */
export async function checkConnection(
  dependencies: ConnectDependencies,
  list: CheckList,
): Promise<Stream | undefined> {
  const { broker } = dependencies.config
  const address = await list.run(nameCheck, true, () => resolveHost(broker.host))
  const proxy = await list.run(addressCheck, address !== undefined, () => reach(broker))
  return connectInSteps(dependencies, proxy === true, list)
}

/** The step at which an error of connecting occurs; any other code belongs to `credentials`, the first one. */
const stepOf: Partial<Record<ErrorCode, (typeof connectSteps)[number]>> = {
  TOPIC_UNKNOWN: 'topic',
  PARTITION_UNKNOWN: 'topic',
  NODE_NOT_ALLOWED: 'TCP to the node',
  NODE_UNREACHABLE: 'TCP to the node',
}

/** Connecting is one call; its error code shows how far it got. */
async function connectInSteps(
  { config, openStream, passwordNote }: ConnectDependencies,
  isPossible: boolean,
  list: CheckList,
): Promise<Stream | undefined> {
  if (!isPossible) {
    for (const name of connectSteps) list.skip(name)
    return undefined
  }
  let stream: Stream | undefined
  let fault: unknown
  let failedAt: number = connectSteps.length
  try {
    stream = await openStream()
  } catch (error) {
    fault = error
    failedAt = connectSteps.indexOf((error instanceof DtsError && stepOf[error.code]) || 'credentials')
  }
  const accepted = [`${config.user} is accepted`, passwordNote()].filter((part) => part !== null)
  const details = {
    credentials:
      config.user === undefined ? 'none are set, and the broker asks for none' : accepted.join('. '),
    topic: `${config.topic} is there`,
    'TCP to the node': `cluster ${stream?.clusterId}, partition ${stream?.partition}`,
  }
  for (const [index, name] of connectSteps.entries()) {
    if (index < failedAt) list.add(name, 'ok', details[name])
    else if (index === failedAt) list.fail(name, fault)
    else list.skip(name)
  }
  return stream
}

async function resolveHost(host: string): Promise<Finding<string>> {
  try {
    const { address } = await lookup(host)
    return found(`${host} is ${address}`, address)
  } catch (cause) {
    throw new DtsError(
      'BROKER_UNREACHABLE',
      `The name ${host} cannot be resolved (${describeFault(cause)}). Correct DTS_BROKER_URL, or give the VPC a DNS that knows it.`,
      { retryable: true, cause },
    )
  }
}

function reach(address: BrokerAddress): Promise<Finding<true>> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...address, timeout: connectTimeoutMs })
    const fail = (reason: string) => {
      socket.destroy()
      reject(
        new DtsError(
          'BROKER_UNREACHABLE',
          `${formatAddress(address)} does not accept a connection (${reason}). Check DTS_BROKER_URL, the VPC's routes ` +
            "and security groups, and DTS's own white list.",
          { retryable: true },
        ),
      )
    }
    socket.once('connect', () => {
      socket.destroy()
      resolve(found(`${formatAddress(address)} accepts connections`))
    })
    socket.once('timeout', () => fail('no answer'))
    socket.once('error', (error) => fail(error.message))
  })
}
