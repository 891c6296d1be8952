/**
 * The file that reaches behind kafkajs' public interface, together with `request-queue.ts`, which mends a part of it.
 *
 * kafkajs' consumer joins a group, which costs seconds, leaves ghost members behind a killed function and cannot
 * start at our offset; its admin client replaces "no offset for this time" by the end of the log, which would
 * skip records silently; and neither shows a fetch response before it has been parsed without checksums. Its
 * connections, SASL and request encoders are sound, so those are used: broker, connection pool, Fetch request.
 *
 * test/lib/kafka/connection.test.ts fails when another version than 2.2.4 is installed.
 */
import { setImmediate } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import Broker from 'kafkajs/src/broker/index.js'
import ConnectionPool, { type Connection } from 'kafkajs/src/network/connectionPool.js'
import fetchRequests from 'kafkajs/src/protocol/requests/fetch/index.js'
import { DtsError } from '../errors.ts'
import { messageOf } from '../text/thrown.ts'
import { type BrokerAddress, formatAddress } from './address.ts'
import { type FetchResponse, fetchVersions, parseFetchResponse } from './fetch-response.ts'
import { frameSockets } from './frames.ts'
import { maxFetchBytes } from './types.ts'
import './request-queue.ts'

const fetchApiKey = 1
const connectTimeoutMs = 10_000
const requestTimeoutMs = 30_000
/** An answer of what was asked for, or of a single larger batch, and what is around it. */
const maxFrameBytes = maxFetchBytes + 1024 * 1024
/** Answers before the login is over list API versions and mechanisms: less than a tenth of this. */
const maxFrameBytesBeforeLogin = 64 * 1024

export interface Credentials {
  readonly username: string
  readonly password: string
}

/** kafkajs logs each failure at error level before it throws it; the thrown one is the one that gets reported. */
const silentLogger = {
  namespace: () => silentLogger,
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
}

export interface NodeConnection {
  readonly address: BrokerAddress
  readonly broker: Broker
  fetch(request: {
    readonly topic: string
    readonly partition: number
    readonly offset: bigint
    readonly maxBytes: number
    readonly maxWaitMs: number
  }): Promise<FetchResponse>
  /** Ends the connection at once, however long the broker is silent; what is under way fails with BROKER_FAILED. */
  close(): Promise<void>
}

/**
 * Opens and authenticates one connection.
 * @throws DtsError `unreachable` when nothing answers there, AUTHENTICATION_FAILED, PROTOCOL_UNSUPPORTED
 */
export async function connectNode(
  address: BrokerAddress,
  options: { readonly tls: boolean; readonly credentials: Credentials | null; readonly clientId: string },
  unreachable: (cause: unknown) => DtsError,
): Promise<NodeConnection> {
  // A stranger who listens on the port may not fill the memory.
  const frameLimit = { maxBytes: maxFrameBytesBeforeLogin }
  const pool = new ConnectionPool({
    ...address,
    clientId: options.clientId,
    ssl: options.tls ? {} : null,
    sasl: options.credentials === null ? null : { mechanism: 'plain', ...options.credentials },
    socketFactory: frameSockets(frameLimit),
    connectionTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    logger: silentLogger,
  })
  const broker = new Broker({
    connectionPool: pool,
    logger: silentLogger,
    allowAutoTopicCreation: false,
    authenticationTimeout: connectTimeoutMs,
  })
  let connection: Connection
  try {
    connection = await pool.getConnection()
  } catch (cause) {
    await pool.destroy()
    throw unreachable(cause)
  }
  // A frame comes whole; kafkajs would copy it to join it with the empty rest behind the frame before.
  const processData = connection.processData.bind(connection)
  connection.processData = (frame) => {
    connection.chunks = []
    processData(frame)
  }
  // The broker object takes an open socket without SASL for one that has learnt the API versions, and skips that.
  const isConnected = broker.isConnected
  broker.isConnected = () => false
  try {
    await broker.connect()
    broker.isConnected = isConnected
    frameLimit.maxBytes = maxFrameBytes
  } catch (cause) {
    await pool.destroy()
    // A frame that was refused ends the connection, which kafkajs takes for a refused login.
    const { errored } = connection.socket
    throw connectError(
      address,
      options,
      errored instanceof RangeError ? errored : cause,
      broker.versions !== null,
    )
  }
  // The pool reconnects silently, by then perhaps to another cluster behind the same address, and keeps a second
  // connection for Fetch. Bound to this one connection, every request reaches the cluster that was identified.
  pool.getConnection = async () => {
    if (connection.isConnected()) return connection
    throw connectionClosed(address)
  }
  return {
    address,
    broker,
    fetch: (request) => sendFetch(connection, negotiate(broker), request),
    close: () => closeNow(connection, pool, connectionClosed(address)),
  }
}

/** kafkajs would wait for every answer that is due, each for as long as a request may take. */
async function closeNow(connection: Connection, pool: ConnectionPool, error: DtsError): Promise<void> {
  connection.socket.destroy()
  connection.rejectRequests(error)
  await pool.destroy()
  // In this turn those who wait hear of it, and a request that was still being encoded has got to the queue; a later
  // one is refused.
  await setImmediate()
  connection.rejectRequests(error)
}

function connectionClosed(address: BrokerAddress): DtsError {
  return brokerFailed(formatAddress(address), 'connection', new Error('the connection was closed'))
}

function connectError(
  address: BrokerAddress,
  options: { readonly tls: boolean; readonly credentials: Credentials | null },
  cause: unknown,
  versionsKnown: boolean,
): DtsError {
  const where = formatAddress(address)
  const reason = messageOf(cause)
  if (cause instanceof kafkajs.KafkaJSSASLAuthenticationError) {
    const user = options.credentials?.username ?? ''
    return new DtsError(
      'AUTHENTICATION_FAILED',
      `${where} refuses the user ${user} (${reason}). DTS expects <user>-<sid> and the consumer group's password: ` +
        'check DTS_USER, DTS_SID and the stored password.',
      { retryable: false, facts: { broker: where, user }, cause },
    )
  }
  if (versionsKnown) return brokerFailed(where, 'authentication', cause)
  return new DtsError(
    'PROTOCOL_UNSUPPORTED',
    `${where} accepts connections but does not answer as a Kafka broker ` +
      `${options.tls ? 'over TLS' : 'without TLS'} (${reason}). Check the port of DTS_BROKER_URL, and DTS_TLS.`,
    { retryable: true, facts: { broker: where, tls: options.tls }, cause },
  )
}

function negotiate(broker: Broker): number {
  const offered = broker.versions?.[fetchApiKey]
  const version = Math.min(fetchVersions.max, offered?.maxVersion ?? -1)
  if (version < fetchVersions.min || version < (offered?.minVersion ?? 0)) {
    throw new DtsError(
      'PROTOCOL_UNSUPPORTED',
      `The broker offers Fetch versions ${offered?.minVersion ?? '?'} to ${offered?.maxVersion ?? '?'}; ` +
        `${fetchVersions.min} to ${fetchVersions.max} are understood here (Kafka 0.11 and later).`,
      { retryable: false },
    )
  }
  return version
}

function sendFetch(
  connection: Connection,
  version: number,
  request: {
    readonly topic: string
    readonly partition: number
    readonly offset: bigint
    readonly maxBytes: number
    readonly maxWaitMs: number
  },
): Promise<FetchResponse> {
  const exchange = fetchRequests.protocol({ version })({
    isolationLevel: 1,
    maxWaitTime: request.maxWaitMs,
    minBytes: 1,
    maxBytes: request.maxBytes,
    topics: [
      {
        topic: request.topic,
        partitions: [
          {
            partition: request.partition,
            fetchOffset: request.offset.toString(),
            maxBytes: request.maxBytes,
          },
        ],
      },
    ],
  })
  // kafkajs' own decoder is left out: it reads records without checking their CRC.
  return connection.send<FetchResponse>({
    ...exchange,
    response: {
      decode: async (payload) => parseFetchResponse(payload, version),
      parse: async (response) => response as FetchResponse,
    },
    requestTimeout: request.maxWaitMs + requestTimeoutMs,
  })
}

/** A failed request as a DtsError; the broker's error type is kept among the facts. */
export function brokerFailed(where: string, what: string, cause: unknown): DtsError {
  if (cause instanceof DtsError) return cause
  const type = cause instanceof kafkajs.KafkaJSProtocolError ? cause.type : null
  const reason = messageOf(cause)
  return new DtsError('BROKER_FAILED', `${where} failed at ${what}: ${reason}. The next run tries again.`, {
    retryable: true,
    facts: { broker: where, request: what, type },
    cause,
  })
}

/** The type of the Kafka protocol error behind `error` (such as `INVALID_GROUP_ID`), or null. */
export function protocolErrorType(error: unknown): string | null {
  if (error instanceof kafkajs.KafkaJSProtocolError) return error.type
  return error instanceof DtsError && error.cause !== undefined ? protocolErrorType(error.cause) : null
}
