import { setImmediate } from 'node:timers/promises'
import { DtsError } from '../errors.ts'
import { formatAddress } from './address.ts'
import { defaultBatchLimits, readingBatches } from './batch.ts'
import type { BrokerConfig } from './broker-config.ts'
import { ask, brokerFailed, incomplete, partOf } from './broker-request.ts'
import type { GroupPosition } from './commit-mark.ts'
import type { ConnectOptions, NodeConnection } from './connection.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { type DataRange, formatOffsets } from './data-range.ts'
import type { FetchedPartition } from './fetch-response.ts'
import { freeBytes } from './free-memory.ts'
import type { LogSlice } from './log-slice.ts'
import type { FetchBounds, Fetched, Stream } from './stream.ts'

const earliestTime = '-2'
const latestTime = '-1'
const readCommitted = 1
const offsetOutOfRange = 1

/** A partition, read over one connection to the node that leads it. */
export class PartitionStream implements Stream {
  readonly topic: string
  readonly partition: number
  readonly clusterId: string
  readonly #mode: BrokerConfig['mode']
  readonly #node: NodeConnection
  readonly #group: ConsumerGroup
  /** The end of the batch that was read last. The next batch begins there or later. */
  #batchEnd: bigint | null = null

  constructor(
    config: BrokerConfig,
    clusterId: string,
    partition: number,
    node: NodeConnection,
    options: ConnectOptions,
  ) {
    this.topic = config.topic
    this.partition = partition
    this.clusterId = clusterId
    this.#mode = config.mode
    this.#node = node
    this.#group = new ConsumerGroup(config, clusterId, partition, node, options)
  }

  async range(): Promise<DataRange> {
    const [earliest, end] = await Promise.all([this.#listOffset(earliestTime), this.#listOffset(latestTime)])
    if (earliest === null || end === null) {
      throw this.#failed('data range', 'the broker named no offset')
    }
    return { earliest, end }
  }

  offsetForTime(seconds: number): Promise<bigint | null> {
    return this.#listOffset(String(this.#mode === 'dts' ? seconds : seconds * 1000))
  }

  async #listOffset(timestamp: string): Promise<bigint | null> {
    const { topic, partition } = this
    const answer = await ask(this.#node.address, 'offset look-up', () =>
      this.#node.broker.listOffsets({
        replicaId: -1,
        isolationLevel: readCommitted,
        topics: [{ topic, partitions: [{ partition, timestamp }] }],
      }),
    )
    const offset = partOf(answer.responses, this)?.offset
    if (offset === undefined) throw incomplete(this.#node.address, 'offset look-up', this)
    return offset.startsWith('-') ? null : BigInt(offset)
  }

  fetch(from: bigint, bounds: FetchBounds): Promise<Fetched> {
    const fetched = this.#fetch(from, bounds)
    // A reader that fetches ahead may close the stream and drop this promise. Its failure must not end the process.
    fetched.catch(() => {})
    return fetched
  }

  async #fetch(from: bigint, { maxBytes, maxWaitMs }: FetchBounds): Promise<Fetched> {
    const answer = await this.#fetchBytes(from, maxBytes, maxWaitMs)
    const slice = await readInSteps(answer, from, from === this.#batchEnd)
    const { records, nextOffset, neededBytes, endsBatch } = slice
    if (nextOffset > answer.highWatermark && nextOffset > from) throw endsTooHigh(from, nextOffset, answer)
    if (neededBytes !== null) {
      if (neededBytes <= maxBytes) throw cutOff(from, neededBytes)
      return this.#fetch(from, { maxBytes: neededBytes, maxWaitMs })
    }
    if (endsBatch) this.#batchEnd = nextOffset
    const free = () => {
      records.free()
      // The records of compressed batches are in another buffer.
      freeBytes(answer.records)
    }
    return { records, nextOffset, end: answer.highWatermark, free }
  }

  /** Fetches undecoded batches. @throws DtsError DATA_GAP, BROKER_FAILED */
  async #fetchBytes(offset: bigint, maxBytes: number, maxWaitMs: number): Promise<FetchedPartition> {
    const { topic, partition } = this
    const response = await ask(this.#node.address, 'fetch', () =>
      this.#node.fetch({ topic, partition, offset, maxBytes, maxWaitMs }),
    )
    if (response.errorCode !== 0) throw this.#failed('fetch', `error code ${response.errorCode}`)
    const answer = response.partitions.find((found) => found.topic === topic && found.partition === partition)
    if (answer === undefined) throw incomplete(this.#node.address, 'fetch', this)
    if (answer.errorCode === offsetOutOfRange) throw await this.#outOfRange(offset)
    if (answer.errorCode !== 0) throw this.#failed('fetch', `error code ${answer.errorCode}`)
    if (answer.highWatermark < 0n) throw this.#failed('fetch', 'the broker does not say where the log ends')
    return answer
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

  committed(): Promise<GroupPosition | null> {
    return this.#group.committed()
  }

  commit(offset: bigint, timestamp: number, generation: number): Promise<void> {
    return this.#group.commit(offset, timestamp, generation)
  }

  async close(): Promise<void> {
    await Promise.all([this.#node.close(), this.#group.close()])
  }

  #failed(what: string, reason: string): DtsError {
    return brokerFailed(formatAddress(this.#node.address), what, new Error(reason))
  }
}

/** Reads batches with pauses. Without them, some megabytes would delay answers of handlers, and handlers would idle. */
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

/** No checksum covers a batch's base offset. If the poller trusted this one, it would skip records. */
function endsTooHigh(from: bigint, nextOffset: bigint, { highWatermark }: FetchedPartition): DtsError {
  return new DtsError(
    'BATCH_CORRUPT',
    `The batches at offset ${from} claim to end at ${nextOffset}, above the end of the log, ${highWatermark}. ` +
      'The poller fetches them again. If that does not help, the stream halts.',
    { retryable: true, facts: { offset: String(from), end: String(highWatermark) } },
  )
}

function cutOff(from: bigint, neededBytes: number): DtsError {
  return new DtsError(
    'BATCH_CORRUPT',
    `The batch at offset ${from} is cut off, although the answer had room for its ${neededBytes} bytes. ` +
      'The poller fetches it again. If that does not help, the stream halts.',
    { retryable: true, facts: { offset: String(from), neededBytes } },
  )
}
