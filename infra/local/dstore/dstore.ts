import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import type { DataRange } from '../../../lib/kafka/data-range.ts'
import type { ApiName } from './api-names.ts'
import { advertise } from './apis/index.ts'
import { type Compression, type EncodedBatch, type Entry, encodeBatch } from './batch.ts'
import type { Address, Broker, Counters } from './broker.ts'
import { Connection } from './connection.ts'
import { type Commit, Groups } from './groups.ts'
import { Log, type LogEntry } from './log.ts'
import {
  type DStoreOptions,
  type DStoreRecord,
  type NewRecord,
  newClusterId,
  newCounters,
  newRequestCounts,
} from './options.ts'

export type { ApiName } from './api-names.ts'
export type { VersionCeilings } from './apis/index.ts'
export { kafka011Ceilings } from './apis/index.ts'
export type { Address, Counters } from './broker.ts'
export type { Commit } from './groups.ts'
export type { DStoreOptions, DStoreRecord, NewRecord } from './options.ts'

const mostRecordsPerBatch = 500

interface AppendOptions {
  readonly compression?: Compression
  readonly recordsPerBatch?: number
  readonly times?: number
}

/**
 * A DStore for development and tests: one node that speaks the Kafka protocol over TCP and behaves like DTS.
 * It does not look into record values.
 */
export class DStore {
  readonly topic: string
  readonly user: string
  readonly password: string
  readonly sid: string | null
  readonly #options: DStoreOptions
  readonly #broker: { -readonly [K in keyof Broker]: Broker[K] }
  /** Open connections, each with the promise of its end. */
  readonly #connections = new Map<Connection, Promise<void>>()
  #servers: Server[] = []
  #lastChange: Promise<unknown> = Promise.resolve()

  constructor(options: DStoreOptions = {}) {
    const { timeUnit = 'seconds' } = options
    this.#options = options
    this.topic = options.topic ?? 'cn_hangzhou_rm_emulated_shop_version2'
    this.user = options.user ?? 'dts_user'
    this.password = options.password ?? 'dts_password'
    this.sid = options.sid === undefined ? 'dtsemulated0sid' : options.sid
    this.#broker = {
      topic: this.topic,
      user: this.user,
      password: this.password,
      sid: this.sid,
      partitions: options.partitions ?? 1,
      timeUnit,
      timeBeforeRange: options.timeBeforeRange ?? (timeUnit === 'seconds' ? 'nothing' : 'earliest'),
      truncateBatches: options.truncateBatches ?? true,
      advertisedVersions: advertise(options.versionCeilings ?? {}),
      log: new Log(options.firstOffset ?? 0n),
      groups: new Groups(),
      clusterId: options.clusterId ?? newClusterId(),
      advertised: { host: '', port: 0 },
      credentialsRefused: false,
      answerDelayMs: 0,
      counters: newCounters(),
      requests: newRequestCounts(),
      appendBatches: (batches) => this.#inOrder(async () => this.#push(batches)),
    }
  }

  /** Listens; resolves to the bootstrap address. */
  async start(): Promise<Address> {
    const { host = '127.0.0.1', port = 0, proxy = false } = this.#options
    const bootstrap = await this.#listen(host, port, proxy ? 'proxy' : 'node')
    this.#broker.advertised = proxy ? await this.#listen(host, 0, 'node') : bootstrap
    return bootstrap
  }

  /** Closes the listeners and every connection. The log stays readable through this object. */
  async stop(): Promise<void> {
    const closed = this.#servers.map((server) => {
      server.close()
      return once(server, 'close')
    })
    for (const connection of this.#connections.keys()) connection.drop()
    await Promise.all(closed)
    this.#servers = []
  }

  /**
   * Appends in batches of at most 500 records. Calls take effect in order, even if the caller does not await them.
   * Resolves to the first record's offset, or to the end of the log if there are no records.
   * @param options `times`: how often the same records are appended. All repeats share the memory of one.
   */
  append(
    records: readonly NewRecord[],
    { compression = 'none', recordsPerBatch = mostRecordsPerBatch, times = 1 }: AppendOptions = {},
  ): Promise<bigint> {
    const entries = records.map(({ value, timestamp, key = null }) => ({
      value,
      key,
      timestampMs: Math.round(timestamp * 1000),
    }))
    return this.#inOrder(async () => {
      const batches = await encodeAll(entries, compression, recordsPerBatch)
      const first = this.#broker.log.end
      for (let time = 0; time < times; time++) this.#push(batches)
      return first
    })
  }

  /**
   * Appends `count` filler records (null, one byte, two bytes, in turn) at the last record's time.
   * Resolves to the first one's offset.
   */
  filler(count: number): Promise<bigint> {
    const values = [null, Buffer.alloc(1), Buffer.alloc(2)]
    return this.#inOrder(async () => {
      const timestampMs = this.#broker.log.last?.timestampMs ?? Date.now()
      const entries = Array.from({ length: count }, (_, i) => ({
        key: null,
        value: values[i % values.length] ?? null,
        timestampMs,
      }))
      return this.#push(await encodeAll(entries, 'none', mostRecordsPerBatch))
    })
  }

  /**
   * Fails over to a new cluster at the same address, like DTS: another cluster id, the same records at other offsets,
   * no committed offsets, no group members. Cuts open connections.
   */
  switchCluster(change: {
    readonly clusterId?: string
    /** Seconds. Older records are not in the new cluster. */
    readonly fromTimestamp?: number
    /** The offset of the first record kept. Default: far above the old end, so that no old offset is in range. */
    readonly firstOffset?: bigint
    readonly keep?: (record: DStoreRecord) => boolean
  }): Promise<void> {
    const { clusterId = newClusterId(), fromTimestamp = Number.NEGATIVE_INFINITY, keep = () => true } = change
    return this.#inOrder(async () => {
      const old = this.#broker.log
      const log = new Log(change.firstOffset ?? old.end + 1000n)
      for (const { batch, entries } of old.groups()) {
        const kept = entries.filter((e) => e.timestampMs >= fromTimestamp * 1000 && keep(toRecord(e)))
        if (kept.length === batch.entries.length) log.append(batch)
        else if (kept.length > 0) log.append(await encodeBatch(kept, batch.compression))
      }
      this.#broker.log = log
      this.#broker.groups = new Groups()
      this.#broker.clusterId = clusterId
      this.#broker.counters.clusterSwitches += 1
      this.dropConnections()
    })
  }

  /** Removes the oldest records: before an offset, or before the first record at `beforeTimestamp` (seconds). */
  trim(limit: { readonly beforeOffset: bigint } | { readonly beforeTimestamp: number }): void {
    const { log } = this.#broker
    if ('beforeOffset' in limit) log.trim(limit.beforeOffset)
    else log.trim(log.firstAt(limit.beforeTimestamp * 1000)?.offset ?? log.end)
  }

  /** Resets every open connection. Accepts new ones. */
  dropConnections(): void {
    this.#broker.counters.connectionsDropped += this.#connections.size
    for (const connection of this.#connections.keys()) connection.drop()
  }

  /** Delays every answer by `ms` milliseconds. 0 removes the delay. */
  delay(ms: number): void {
    this.#broker.answerDelayMs = ms
  }

  /** Refuses every login from now on, or accepts logins again. Open connections stay. */
  refuseCredentials(refuse: boolean): void {
    this.#broker.credentialsRefused = refuse
  }

  /** Advertises another address for the node in Metadata and FindCoordinator, for example one without a listener. */
  advertise(address: Address): void {
    this.#broker.advertised = address
  }

  /** Changes only the cluster id. Log, offsets and connections stay. */
  setClusterId(clusterId: string): void {
    this.#broker.clusterId = clusterId
  }

  get clusterId(): string {
    return this.#broker.clusterId
  }

  /** The user name of a login: `<user>-<sid>`. */
  get userName(): string {
    return this.sid === null ? this.user : `${this.user}-${this.sid}`
  }

  /** The address that Metadata names. */
  get advertised(): Address {
    return this.#broker.advertised
  }

  get range(): DataRange {
    const { start, end } = this.#broker.log
    return { earliest: start, end }
  }

  /** The times of the first and the last readable record, in seconds; null if there is none. */
  get times(): { readonly first: number; readonly last: number } | null {
    const { first, last } = this.#broker.log
    if (first === undefined || last === undefined) return null
    return { first: toRecord(first).timestamp, last: toRecord(last).timestamp }
  }

  /** A copy of the readable records, in offset order. */
  get records(): DStoreRecord[] {
    return Array.from(this.#broker.log.entries(), toRecord)
  }

  /** The readable records from an offset on, in offset order. */
  recordsFrom(offset: bigint): DStoreRecord[] {
    return Array.from(this.#broker.log.entriesFrom(offset), toRecord)
  }

  /** The number of open connections. */
  get connections(): number {
    return this.#connections.size
  }

  /** Resolves when all connections that are open now have ended. */
  async disconnected(): Promise<void> {
    await Promise.all(this.#connections.values())
  }

  /** The number of requests, by API name. */
  get requests(): Readonly<Record<ApiName, number>> {
    return this.#broker.requests
  }

  get counters(): Readonly<Counters> {
    return this.#broker.counters
  }

  committed(group: string): Commit | undefined {
    return this.#broker.groups.committed(group)
  }

  /** Runs changes to the log one at a time. Encoding is asynchronous and must not reorder them. */
  #inOrder<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#lastChange.then(change)
    this.#lastChange = result.catch(() => {})
    return result
  }

  #push(batches: readonly EncodedBatch[]): bigint {
    const firstOffset = this.#broker.log.end
    for (const batch of batches) this.#broker.log.append(batch)
    return firstOffset
  }

  async #listen(host: string, port: number, side: 'proxy' | 'node'): Promise<Address> {
    const server = createServer(async (socket) => {
      const connection = new Connection(socket, this.#broker)
      this.#broker.counters.connectionsAccepted[side] += 1
      const over = connection.serve().finally(() => this.#connections.delete(connection))
      this.#connections.set(connection, over)
      await over
    })
    server.listen(port, host)
    await once(server, 'listening')
    this.#servers.push(server)
    const address = server.address()
    return { host, port: typeof address === 'object' && address ? address.port : port }
  }
}

async function encodeAll(
  entries: readonly Entry[],
  compression: Compression,
  recordsPerBatch: number,
): Promise<EncodedBatch[]> {
  const batches = []
  for (let at = 0; at < entries.length; at += recordsPerBatch) {
    batches.push(await encodeBatch(entries.slice(at, at + recordsPerBatch), compression))
  }
  return batches
}

function toRecord({ offset, timestampMs, key, value }: LogEntry): DStoreRecord {
  return { offset, timestamp: timestampMs / 1000, key, value }
}
