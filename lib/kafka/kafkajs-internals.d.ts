/**
 * Types of the internals of kafkajs 2.2.4 that this room uses. kafkajs ships no types for them.
 */

declare module 'kafkajs/src/errors.js' {
  import { KafkaJSConnectionError, KafkaJSProtocolError, KafkaJSSASLAuthenticationError } from 'kafkajs'

  const errors: {
    readonly KafkaJSConnectionError: typeof KafkaJSConnectionError
    readonly KafkaJSProtocolError: typeof KafkaJSProtocolError
    readonly KafkaJSSASLAuthenticationError: typeof KafkaJSSASLAuthenticationError
  }
  export default errors
}

declare module 'kafkajs/src/network/connectionPool.js' {
  import type { Socket } from 'node:net'

  export interface ProtocolExchange<Result> {
    readonly request: { readonly apiKey: number; readonly apiVersion: number; readonly apiName: string }
    readonly response: {
      decode(payload: Buffer): Promise<unknown>
      parse(decoded: unknown): Promise<Result>
    }
    readonly requestTimeout?: number
    readonly logResponseError?: boolean
  }
  export interface Connection {
    isConnected(): boolean
    /** Takes bytes from the socket. Bytes of an incomplete frame wait in `chunks`. */
    processData: (bytes: Buffer) => void
    chunks: Buffer[]
    readonly socket: Socket
    /** Whether the broker has the request SaslAuthenticate; null before its API versions are known. */
    getSupportAuthenticationProtocol(): boolean | null
    /** Fails all requests that wait for an answer or for being sent. */
    rejectRequests(error: Error): void
    send<Result>(exchange: ProtocolExchange<Result>): Promise<Result>
  }
  export interface SaslExchange {
    readonly request: { encode(): Promise<Buffer> }
    readonly response: { decode(answer: Buffer): Promise<unknown>; parse(decoded: unknown): Promise<unknown> }
  }
  export type SaslProvider = (login: { saslAuthenticate(exchange: SaslExchange): Promise<unknown> }) => {
    authenticate(): Promise<unknown>
  }
  interface SilentLogger {
    namespace(name: string): SilentLogger
    debug(message: string): void
    info(message: string): void
    warn(message: string): void
    error(message: string): void
  }
  export interface ConnectionPoolOptions {
    readonly host: string
    readonly port: number
    readonly clientId: string
    readonly ssl: Record<string, unknown> | null
    readonly sasl: { readonly mechanism: 'plain'; readonly authenticationProvider: SaslProvider } | null
    readonly socketFactory: unknown
    readonly connectionTimeout: number
    readonly requestTimeout: number
    readonly enforceRequestTimeout: boolean
    readonly logger: SilentLogger
  }
  export default class ConnectionPool {
    constructor(options: ConnectionPoolOptions)
    getConnection: () => Promise<Connection>
    destroy(): Promise<void>
  }
}

declare module 'kafkajs/src/network/requestQueue/index.js' {
  import type { ConnectionPoolOptions } from 'kafkajs/src/network/connectionPool.js'

  export interface PushedRequest {
    readonly entry: {
      readonly correlationId: number
      readonly resolve: (answer: unknown) => void
      readonly reject: (error: Error) => void
    }
    readonly expectResponse: boolean
    readonly sendRequest: () => void
  }
  export default class RequestQueue {
    constructor(options: {
      readonly requestTimeout: number
      readonly enforceRequestTimeout: boolean
      readonly clientId: string
      readonly broker: string
      readonly logger: ReturnType<ConnectionPoolOptions['logger']['namespace']>
    })
    /** Requests that wait for the end of the throttle. */
    readonly pending: readonly unknown[]
    push(request: PushedRequest): void
    /** Delays requests by `milliseconds`. */
    maybeThrottle(milliseconds: number): void
    /** Sets a timer that sends waiting requests. */
    scheduleCheckPendingRequests(): void
  }
}

declare module 'kafkajs/src/broker/index.js' {
  import type ConnectionPool from 'kafkajs/src/network/connectionPool.js'
  import type { ConnectionPoolOptions } from 'kafkajs/src/network/connectionPool.js'

  export interface TopicPartitions<Partition> {
    readonly topic: string
    readonly partitions: readonly Partition[]
  }
  export default class Broker {
    constructor(options: {
      readonly connectionPool: ConnectionPool
      readonly logger: ConnectionPoolOptions['logger']
      readonly allowAutoTopicCreation: boolean
      readonly authenticationTimeout: number
    })
    readonly versions: Readonly<
      Record<number, { readonly minVersion: number; readonly maxVersion: number }>
    > | null
    isConnected: () => boolean
    connect(): Promise<void>
    metadata(topics: readonly string[]): Promise<{
      readonly clusterId?: string | null
      readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[]
      readonly topicMetadata: readonly {
        readonly topic: string
        readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[]
      }[]
    }>
    listOffsets(request: {
      readonly replicaId: number
      readonly isolationLevel: number
      readonly topics: readonly TopicPartitions<{ readonly partition: number; readonly timestamp: string }>[]
    }): Promise<{
      readonly responses: readonly TopicPartitions<{
        readonly partition: number
        readonly offset: string | undefined
      }>[]
    }>
    findGroupCoordinator(request: { readonly groupId: string; readonly coordinatorType: number }): Promise<{
      readonly coordinator: { readonly nodeId: number; readonly host: string; readonly port: number }
    }>
    offsetCommit(request: {
      readonly groupId: string
      readonly groupGenerationId: number
      readonly memberId: string
      readonly retentionTime: string
      readonly topics: readonly TopicPartitions<{
        readonly partition: number
        readonly offset: string
        readonly metadata: string
      }>[]
    }): Promise<{ readonly responses: readonly TopicPartitions<{ readonly partition: number }>[] }>
    offsetFetch(request: {
      readonly groupId: string
      readonly topics: readonly TopicPartitions<{ readonly partition: number }>[]
    }): Promise<{
      readonly responses: readonly TopicPartitions<{
        readonly partition: number
        readonly offset: string
        readonly metadata: string | null
      }>[]
    }>
  }
}

declare module 'kafkajs/src/protocol/sasl/plain/index.js' {
  import type { SaslExchange } from 'kafkajs/src/network/connectionPool.js'

  const plain: {
    request(credentials: { readonly username: string; readonly password: string }): SaslExchange['request']
    readonly response: SaslExchange['response']
  }
  export default plain
}

declare module 'kafkajs/src/protocol/requests/fetch/index.js' {
  import type { ProtocolExchange } from 'kafkajs/src/network/connectionPool.js'

  export interface FetchRequest {
    readonly isolationLevel: number
    readonly maxWaitTime: number
    readonly minBytes: number
    readonly maxBytes: number
    readonly topics: readonly {
      readonly topic: string
      readonly partitions: readonly {
        readonly partition: number
        readonly fetchOffset: string
        readonly maxBytes: number
      }[]
    }[]
  }
  const fetch: {
    protocol(options: { readonly version: number }): (request: FetchRequest) => ProtocolExchange<unknown>
  }
  export default fetch
}
