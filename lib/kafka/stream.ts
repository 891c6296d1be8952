import { setImmediate, setTimeout } from 'node:timers/promises'
import { DtsError } from '../errors.ts'
import { type BrokerAddress, formatAddress, isAddress, isAllowedNode, isSameAddress } from './address.ts'
import { defaultBatchLimits, readingBatches } from './batch.ts'
import { type GroupPosition, groupPosition, writeMark } from './commit-mark.ts'
import {
  brokerFailed,
  type Credentials,
  connectNode,
  type NodeConnection,
  protocolErrorType,
} from './connection.ts'
import { clusterUnnamed, notAllowed, topicUnknown, unreachable } from './errors.ts'
import type { FetchedPartition } from './fetch-response.ts'
import { freeBytes } from './free-memory.ts'
import type { LogRecords } from './records.ts'
import type { BrokerConfig } from './types.ts'
import { type DataRange, formatOffsets, type LogSlice } from './types.ts'

export interface FetchBounds {
  /** Upper bound of the answer, in bytes; a single larger batch is fetched alone with a larger bound. */
  readonly maxBytes: number
  /** How long the broker may hold the request back while there is nothing new, in milliseconds. */
  readonly maxWaitMs: number
}

export interface Fetched {
  readonly records: LogRecords
  /** Where to fetch next; also moved by control batches, aborted transactions and gaps: no record of theirs is for us. */
  readonly nextOffset: bigint
  /** The offset behind the last readable record, as the broker said with this answer. */
  readonly end: bigint
  /**
   * Gives the memory of the records back at once, for a reader of many; their values cannot be read any more. Without
   * it the garbage collector does so some time.
   */
  readonly free: () => void
}

/** One partition of the tracked stream on one cluster. Every method may throw BROKER_FAILED (retryable). */
export interface Stream {
  readonly topic: string
  readonly partition: number
  /** Of the node that holds the records. */
  readonly clusterId: string
  range(): Promise<DataRange>
  /** The first offset whose record is at or after `seconds`, or null when the broker finds none. */
  offsetForTime(seconds: number): Promise<bigint | null>
  /** @throws DtsError DATA_GAP when `from` is not, or no longer, in the data range; BATCH_CORRUPT, BATCH_TOO_LARGE */
  fetch(from: bigint, bounds: FetchBounds): Promise<Fetched>
  committed(): Promise<GroupPosition | null>
  /**
   * Commits to the consumer group. The position must be in the checkpoint item before: a commit ahead of the item says
   * that the item was restored from a backup.
   * @throws DtsError GROUP_REFUSED when the group is not the sid
   */
  commit(offset: bigint, timestamp: number, generation: number): Promise<void>
  /** Ends at once, whatever the broker does. Requests under way fail with BROKER_FAILED; a fetch may be left alone. */
  close(): Promise<void>
}

const earliestTime = '-2'
const latestTime = '-1'
const readCommitted = 1

/**
 * Connects to the node that leads the partition.
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
    if (isSameAddress(leader, config.broker))
      return new PartitionStream(config, clusterId, partition, bootstrap, options)
    const node = await connectNode(leader, options, (cause) => unreachable('NODE', leader, cause, config))
    try {
      // What the bootstrap address said of the cluster is not taken for the node's.
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

/** @throws DtsError NODE_NOT_ALLOWED; BROKER_FAILED when a broker names no host at all, as one that is just starting */
function checkNode(
  node: BrokerAddress,
  role: string,
  source: BrokerAddress,
  { broker, allowedNodes }: Pick<BrokerConfig, 'broker' | 'allowedNodes'>,
): void {
  if (!isAddress(node)) {
    const named = JSON.stringify(`${node.host}:${node.port}`)
    throw brokerFailed(
      formatAddress(source),
      'metadata',
      new Error(`it names ${named} as ${role}, which is no address`),
    )
  }
  if (!isAllowedNode(node, broker, allowedNodes)) throw notAllowed(node, broker, role)
}

interface FoundPartition {
  readonly clusterId: string
  readonly partition: number
  readonly leader: BrokerAddress
}

async function findPartition(node: NodeConnection, config: BrokerConfig): Promise<FoundPartition> {
  const { topic } = config
  const where = formatAddress(node.address)
  let metadata: Awaited<ReturnType<typeof node.broker.metadata>>
  try {
    metadata = await node.broker.metadata([topic])
  } catch (cause) {
    const type = protocolErrorType(cause)
    if (
      type === 'UNKNOWN_TOPIC_OR_PARTITION' ||
      type === 'TOPIC_AUTHORIZATION_FAILED' ||
      type === 'INVALID_TOPIC_EXCEPTION'
    ) {
      throw topicUnknown(topic, where, type, cause)
    }
    throw brokerFailed(where, 'metadata', cause)
  }
  const partitions =
    metadata.topicMetadata.find((candidate) => candidate.topic === topic)?.partitionMetadata ?? []
  if (partitions.length === 0) throw topicUnknown(topic, where, 'no partitions', undefined)
  const wanted = config.partition ?? (partitions.length === 1 ? partitions[0]?.partitionId : undefined)
  const partition = partitions.find(({ partitionId }) => partitionId === wanted)
  if (partition === undefined) {
    throw new DtsError(
      'PARTITION_UNKNOWN',
      wanted === undefined
        ? `Topic ${topic} has ${partitions.length} partitions. Deploy one poller for each, and set DTS_PARTITION in it.`
        : `Topic ${topic} has ${partitions.length} partition(s), and no partition ${wanted}. Correct DTS_PARTITION.`,
      { retryable: false, facts: { topic, partitions: partitions.length } },
    )
  }
  const leader = metadata.brokers.find(({ nodeId }) => nodeId === partition.leader)
  if (leader === undefined) {
    throw brokerFailed(where, 'metadata', new Error(`partition ${partition.partitionId} has no leader now`))
  }
  if (!metadata.clusterId) throw clusterUnnamed(where)
  return { clusterId: metadata.clusterId, partition: partition.partitionId, leader }
}

/**
 * The cluster that a node belongs to, in its own words. DTS can move to another cluster between two connections, and
 * then what the first one said is not true of the records that the second one yields.
 */
async function clusterIdOf(node: NodeConnection, topic: string): Promise<string> {
  const where = formatAddress(node.address)
  let clusterId: string | null | undefined
  try {
    clusterId = (await node.broker.metadata([topic])).clusterId
  } catch (cause) {
    // The topic was there a moment ago, so this is no mistake of the set-up.
    throw brokerFailed(where, 'metadata', cause)
  }
  if (!clusterId) throw clusterUnnamed(where)
  return clusterId
}

class PartitionStream implements Stream {
  readonly topic: string
  readonly partition: number
  readonly clusterId: string
  readonly #config: BrokerConfig
  readonly #node: NodeConnection
  readonly #options: Parameters<typeof connectNode>[1]
  #coordinator: NodeConnection | undefined
  /** Where a batch ended that was read last: the next one begins there or later. */
  #batchEnd: bigint | null = null
  #closed = false

  constructor(
    config: BrokerConfig,
    clusterId: string,
    partition: number,
    node: NodeConnection,
    options: Parameters<typeof connectNode>[1],
  ) {
    this.topic = config.topic
    this.partition = partition
    this.clusterId = clusterId
    this.#config = config
    this.#node = node
    this.#options = options
  }

  async range(): Promise<DataRange> {
    const [earliest, end] = await Promise.all([this.#listOffset(earliestTime), this.#listOffset(latestTime)])
    if (earliest === null || end === null) {
      throw this.#failed('data range', 'the broker named no offset')
    }
    return { earliest, end }
  }

  offsetForTime(seconds: number): Promise<bigint | null> {
    return this.#listOffset(String(this.#config.mode === 'dts' ? seconds : seconds * 1000))
  }

  async #listOffset(timestamp: string): Promise<bigint | null> {
    const { topic, partition } = this
    const answer = await this.#ask('offset look-up', () =>
      this.#node.broker.listOffsets({
        replicaId: -1,
        isolationLevel: readCommitted,
        topics: [{ topic, partitions: [{ partition, timestamp }] }],
      }),
    )
    const { offset } = this.#partOf(answer.responses, 'offset look-up')
    if (offset === undefined) throw this.#incomplete('offset look-up')
    return offset.startsWith('-') ? null : BigInt(offset)
  }

  fetch(from: bigint, bounds: FetchBounds): Promise<Fetched> {
    const fetched = this.#fetch(from, bounds)
    // A reader that asks ahead may close the stream before it takes the answer; the failure is nobody's then.
    fetched.catch(() => {})
    return fetched
  }

  async #fetch(from: bigint, bounds: FetchBounds): Promise<Fetched> {
    for (let maxBytes = bounds.maxBytes; ; ) {
      const { topic, partition } = this
      const response = await this.#ask('fetch', () =>
        this.#node.fetch({ topic, partition, offset: from, maxBytes, maxWaitMs: bounds.maxWaitMs }),
      )
      if (response.errorCode !== 0) throw this.#failed('fetch', `error code ${response.errorCode}`)
      const answer = response.partitions.find(
        (found) => found.topic === topic && found.partition === partition,
      )
      if (answer === undefined) throw this.#incomplete('fetch')
      if (answer.errorCode === fetchErrors.offsetOutOfRange) throw await this.#outOfRange(from)
      if (answer.errorCode !== 0) throw this.#failed('fetch', `error code ${answer.errorCode}`)
      if (answer.highWatermark < 0n) throw this.#failed('fetch', 'the broker does not say where the log ends')
      const slice = await readInSteps(answer, from, from === this.#batchEnd)
      if (slice.nextOffset > answer.highWatermark && slice.nextOffset > from) {
        // The one field that no checksum covers is a batch's base offset; trusting this one would skip records.
        throw new DtsError(
          'BATCH_CORRUPT',
          `The batches at offset ${from} claim to end at ${slice.nextOffset}, above the end of the log, ` +
            `${answer.highWatermark}. They are fetched again; if that does not help, the stream halts.`,
          { retryable: true, facts: { offset: String(from), end: String(answer.highWatermark) } },
        )
      }
      if (slice.neededBytes === null) {
        const { records, nextOffset } = slice
        if (slice.endsBatch) this.#batchEnd = nextOffset
        const free = () => {
          records.free()
          // Compressed batches lie there, and their records elsewhere.
          freeBytes(answer.records)
        }
        return { records, nextOffset, end: answer.highWatermark, free }
      }
      if (slice.neededBytes <= maxBytes) {
        throw new DtsError(
          'BATCH_CORRUPT',
          `The batch at offset ${from} was cut off although the answer had room for it. It is fetched again; if that ` +
            'does not help, the stream halts.',
          { retryable: true, facts: { offset: String(from), neededBytes: slice.neededBytes } },
        )
      }
      maxBytes = slice.neededBytes
    }
  }

  async #outOfRange(from: bigint): Promise<DtsError> {
    const range = await this.range()
    const { earliest, end } = range
    const isInside = from >= earliest && from <= end
    return new DtsError(
      'DATA_GAP',
      `The broker refused offset ${from} as out of its data range. Cluster ${this.clusterId} has ${formatOffsets(range)}` +
        `${isInside ? ', so that it would accept that offset now' : ''}.`,
      {
        retryable: false,
        next: [{ action: 'inspect', purpose: 'see what can be read and what is lost' }],
        facts: {
          offset: String(from),
          earliest: String(earliest),
          end: String(end),
          clusterId: this.clusterId,
        },
      },
    )
  }

  async committed(): Promise<GroupPosition | null> {
    const { topic, partition } = this
    const coordinator = await this.#findCoordinator()
    const answer = await this.#askGroup('group offset', () =>
      coordinator.broker.offsetFetch({
        groupId: this.#config.group,
        topics: [{ topic, partitions: [{ partition }] }],
      }),
    )
    // A partition that is left out is not one without a commit: that would look like a stream never read before.
    const { offset: found, metadata } = this.#partOf(answer.responses, 'group offset')
    return found.startsWith('-') ? null : groupPosition(BigInt(found), metadata, this.#config.deployment)
  }

  async commit(offset: bigint, timestamp: number, generation: number): Promise<void> {
    const { topic, partition } = this
    const coordinator = await this.#findCoordinator()
    // DTS carries a commit over to a new cluster by the leading timestamp of its metadata.
    const metadata = writeMark(this.#config.deployment, timestamp, { generation, offset })
    const answer = await this.#askGroup('group commit', () =>
      coordinator.broker.offsetCommit({
        groupId: this.#config.group,
        groupGenerationId: -1,
        memberId: '',
        retentionTime: '-1',
        topics: [{ topic, partitions: [{ partition, offset: offset.toString(), metadata }] }],
      }),
    )
    this.#partOf(answer.responses, 'group commit')
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([this.#node.close(), this.#coordinator?.close()])
  }

  async #findCoordinator(): Promise<NodeConnection> {
    if (this.#coordinator !== undefined) return this.#coordinator
    const { coordinator } = await this.#askGroup('group coordinator', () =>
      this.#node.broker.findGroupCoordinator({ groupId: this.#config.group, coordinatorType: 0 }),
    )
    if (isSameAddress(coordinator, this.#node.address)) return this.#node
    checkNode(coordinator, "the consumer group's coordinator", this.#node.address, this.#config)
    const connected = await connectNode(coordinator, this.#options, (cause) =>
      unreachable('NODE', coordinator, cause, this.#config),
    )
    // Closed in the meantime: nobody would close this one. What is asked over it fails as over the others.
    if (this.#closed) await connected.close()
    this.#coordinator = connected
    return connected
  }

  /** What an answer says of our partition. A broker that answers for another one is not believed. */
  #partOf<Part extends { readonly partition: number }>(
    topics: readonly { readonly topic: string; readonly partitions: readonly Part[] }[],
    what: string,
  ): Part {
    for (const { topic, partitions } of topics) {
      if (topic !== this.topic) continue
      const found = partitions.find(({ partition }) => partition === this.partition)
      if (found !== undefined) return found
    }
    throw this.#incomplete(what)
  }

  #incomplete(what: string): DtsError {
    return this.#failed(what, `the answer says nothing of partition ${this.partition} of ${this.topic}`)
  }

  #failed(what: string, reason: string): DtsError {
    return brokerFailed(formatAddress(this.#node.address), what, new Error(reason))
  }

  async #ask<Result>(what: string, request: () => Promise<Result>): Promise<Result> {
    try {
      return await request()
    } catch (cause) {
      throw brokerFailed(formatAddress(this.#node.address), what, cause)
    }
  }

  async #askGroup<Result>(what: string, request: () => Promise<Result>): Promise<Result> {
    for (let pauseMs = 100; ; pauseMs *= 2) {
      try {
        return await this.#askGroupOnce(what, request)
      } catch (error) {
        const isSoon = coordinatorComes.has(protocolErrorType(error) ?? '')
        if (!isSoon || pauseMs > longestCoordinatorPauseMs || this.#closed) throw error
        await setTimeout(pauseMs)
      }
    }
  }

  async #askGroupOnce<Result>(what: string, request: () => Promise<Result>): Promise<Result> {
    try {
      return await request()
    } catch (cause) {
      const type = protocolErrorType(cause)
      if (type === 'INVALID_GROUP_ID' || type === 'GROUP_AUTHORIZATION_FAILED') {
        throw new DtsError(
          'GROUP_REFUSED',
          `The broker refuses the consumer group ${this.#config.group} (${type}). ` +
            'On DTS the group must be the sid of the consumer group that DTS_USER belongs to.',
          { retryable: false, facts: { group: this.#config.group }, cause },
        )
      }
      throw brokerFailed(formatAddress(this.#node.address), what, cause)
    }
  }
}

/** Reading some megabytes in one go would keep answers of handlers waiting, and handlers idle. */
async function readInSteps(
  { records, aborted }: FetchedPartition,
  from: bigint,
  startsBatch: boolean,
): Promise<LogSlice> {
  const reading = readingBatches(records, from, defaultBatchLimits, aborted, startsBatch)
  for (;;) {
    const step = reading.next()
    if (step.done) return step.value
    await setImmediate()
  }
}

/** Said by a broker that has just started, or has not made its group topic yet: asked again for some seconds. */
const coordinatorComes: ReadonlySet<string> = new Set([
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
])
const longestCoordinatorPauseMs = 1_600

const fetchErrors = { offsetOutOfRange: 1 }
