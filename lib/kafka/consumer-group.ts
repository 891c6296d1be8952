import { setTimeout } from 'node:timers/promises'
import { DtsError } from '../errors.ts'
import { isSameAddress } from './address.ts'
import type { BrokerConfig } from './broker-config.ts'
import { ask, incomplete, partOf, protocolErrorType } from './broker-request.ts'
import { checkNode } from './check-node.ts'
import { type GroupPosition, groupPosition, writeMark } from './commit-mark.ts'
import { type ConnectOptions, connectNode, type NodeConnection } from './connection.ts'
import { unreachable } from './open-errors.ts'

/** A broker that has just started, or has not made its group topic yet, answers these for some seconds. */
const coordinatorStarts: ReadonlySet<string> = new Set([
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
])
const longestPauseMs = 1_600

/** The offset that the consumer group has committed for one partition. Nothing joins the group. */
export class ConsumerGroup {
  readonly #config: BrokerConfig
  readonly #clusterId: string
  readonly #partition: number
  readonly #node: NodeConnection
  readonly #options: ConnectOptions
  /** The connection to the coordinator, if it is another node. */
  #coordinator: NodeConnection | undefined
  #isClosed = false

  constructor(
    config: BrokerConfig,
    clusterId: string,
    partition: number,
    node: NodeConnection,
    options: ConnectOptions,
  ) {
    this.#config = config
    this.#clusterId = clusterId
    this.#partition = partition
    this.#node = node
    this.#options = options
  }

  async committed(): Promise<GroupPosition | null> {
    const { group, topic, deployment } = this.#config
    const partition = this.#partition
    const coordinator = await this.#findCoordinator()
    const answer = await this.#ask('group offset', () =>
      coordinator.broker.offsetFetch({ groupId: group, topics: [{ topic, partitions: [{ partition }] }] }),
    )
    // A partition that the answer omits is not one without a commit: that would look like a stream never read before.
    const part = partOf(answer.responses, { topic, partition })
    if (part === undefined) throw incomplete(this.#node.address, 'group offset', { topic, partition })
    return part.offset.startsWith('-') ? null : groupPosition(BigInt(part.offset), part.metadata, deployment)
  }

  async commit(offset: bigint, timestamp: number, generation: number): Promise<void> {
    const { group, topic, deployment } = this.#config
    const partition = this.#partition
    const coordinator = await this.#findCoordinator()
    // DTS carries a commit over to a new cluster by the leading timestamp of its metadata.
    const metadata = writeMark(deployment, timestamp, { generation, offset, clusterId: this.#clusterId })
    const answer = await this.#ask('group commit', () =>
      coordinator.broker.offsetCommit({
        groupId: group,
        groupGenerationId: -1,
        memberId: '',
        retentionTime: '-1',
        topics: [{ topic, partitions: [{ partition, offset: offset.toString(), metadata }] }],
      }),
    )
    if (partOf(answer.responses, { topic, partition }) === undefined) {
      throw incomplete(this.#node.address, 'group commit', { topic, partition })
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#coordinator?.close()
  }

  async #findCoordinator(): Promise<NodeConnection> {
    if (this.#coordinator !== undefined) return this.#coordinator
    const node = this.#node
    const { coordinator } = await this.#ask('group coordinator', () =>
      node.broker.findGroupCoordinator({ groupId: this.#config.group, coordinatorType: 0 }),
    )
    if (isSameAddress(coordinator, node.address)) return node
    checkNode(coordinator, "the consumer group's coordinator", node.address, this.#config)
    const connected = await connectNode(coordinator, this.#options, (cause) =>
      unreachable('NODE', coordinator, cause, this.#config),
    )
    // close() ran during the connect, so it did not close this connection. Requests over it now fail like the others.
    if (this.#isClosed) await connected.close()
    this.#coordinator = connected
    return connected
  }

  async #ask<Result>(what: string, request: () => Promise<Result>): Promise<Result> {
    for (let pauseMs = 100; ; pauseMs *= 2) {
      try {
        return await ask(this.#node.address, what, request)
      } catch (error) {
        const type = protocolErrorType(error) ?? ''
        if (type === 'INVALID_GROUP_ID' || type === 'GROUP_AUTHORIZATION_FAILED')
          throw this.#refused(type, error)
        if (!coordinatorStarts.has(type) || pauseMs > longestPauseMs || this.#isClosed) throw error
        await setTimeout(pauseMs)
      }
    }
  }

  #refused(type: string, error: unknown): DtsError {
    return new DtsError(
      'GROUP_REFUSED',
      `The broker refuses the consumer group ${this.#config.group} (${type}). ` +
        'On DTS the group must be the sid of the consumer group that DTS_USER belongs to.',
      {
        retryable: false,
        facts: { group: this.#config.group },
        cause: error instanceof DtsError ? error.cause : error,
      },
    )
  }
}
