/**
 * One authenticated connection to one broker. It uses kafkajs' internals. `patch-request-queue.ts` fixes one of them, and
 * `kafkajs-internals.d.ts` types them. docs/decisions/kafkajs-internals.md gives the reasons.
 *
 * test/lib/kafka/connection.test.ts fails if another version than 2.2.4 is installed.
 */
import { setImmediate } from 'node:timers/promises'
import Broker from 'kafkajs/src/broker/index.js'
import ConnectionPool, {
  type Connection,
  type ConnectionPoolOptions,
  type SaslProvider,
} from 'kafkajs/src/network/connectionPool.js'
import fetchRequests from 'kafkajs/src/protocol/requests/fetch/index.js'
import plain from 'kafkajs/src/protocol/sasl/plain/index.js'
import { DtsError } from '../errors.ts'
import { type BrokerAddress, formatAddress } from './address.ts'
import { maxFetchBytes } from './broker-config.ts'
import { brokerFailed } from './broker-request.ts'
import { type FetchResponse, fetchVersions, parseFetchResponse } from './fetch-response.ts'
import { type FrameLimit, frameSockets } from './frame-sockets.ts'
import { handshakeFailed } from './open-errors.ts'
import './patch-request-queue.ts'

const fetchApiKey = 1
const connectTimeoutMs = 10_000
const requestTimeoutMs = 30_000
const loginTimeoutMs = 30_000
/** The largest batch that may be fetched, and the fields around it. */
const maxFrameBytes = maxFetchBytes + 1024 * 1024
/** Before the login, the broker lists API versions and login mechanisms: less than a tenth of this. */
const maxFrameBytesBeforeLogin = 64 * 1024

export interface Credentials {
  readonly username: string
  readonly password: string
}

export interface ConnectOptions {
  readonly tls: boolean
  readonly credentials: Credentials | null
  readonly clientId: string
}

interface FetchRequest {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly maxBytes: number
  readonly maxWaitMs: number
}

export interface NodeConnection {
  readonly address: BrokerAddress
  readonly broker: Broker
  fetch(request: FetchRequest): Promise<FetchResponse>
  /** Closes the connection without waiting for the broker. Requests that are under way fail with BROKER_FAILED. */
  close(): Promise<void>
}

/** kafkajs logs each failure before it throws it. We report the thrown error. */
const silentLogger = {
  namespace: () => silentLogger,
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
}

/**
 * Opens and authenticates one connection.
 * @throws DtsError `unreachable` if nothing answers there, AUTHENTICATION_FAILED, PROTOCOL_UNSUPPORTED
 */
export async function connectNode(
  address: BrokerAddress,
  options: ConnectOptions,
  unreachable: (cause: unknown) => DtsError,
): Promise<NodeConnection> {
  // A stranger that listens on the port must not fill the memory.
  const frameLimit = { maxBytes: maxFrameBytesBeforeLogin }
  const pool = poolOf(address, options, frameLimit)
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
  takeWholeFrames(connection)
  try {
    await within(loginTimeoutMs, logIn(broker), connection)
  } catch (cause) {
    await pool.destroy()
    // If our frame limit ended the connection, kafkajs does not tell.
    const { errored } = connection.socket
    const reason = errored instanceof RangeError ? errored : cause
    const user = options.credentials?.username ?? ''
    const login = {
      tls: options.tls,
      user,
      refusesInSilence: connection.getSupportAuthenticationProtocol() === false,
    }
    throw handshakeFailed(address, login, reason, broker.versions !== null)
  }
  frameLimit.maxBytes = maxFrameBytes
  bindTo(connection, pool, address)
  return {
    address,
    broker,
    fetch: (request) => sendFetch(connection, negotiate(broker), request),
    close: () => closeNow(connection, pool, connectionClosed(address)),
  }
}

function poolOf(address: BrokerAddress, options: ConnectOptions, frameLimit: FrameLimit): ConnectionPool {
  return new ConnectionPool({
    ...address,
    clientId: options.clientId,
    ssl: options.tls ? {} : null,
    sasl: options.credentials === null ? null : plainLogin(options.credentials),
    socketFactory: frameSockets(frameLimit),
    connectionTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    logger: silentLogger,
  })
}

/** As kafkajs' own, which throws the same error for a refusal and for a lost connection. This one throws the cause itself. */
function plainLogin(credentials: Credentials): NonNullable<ConnectionPoolOptions['sasl']> {
  const exchange = { request: plain.request(credentials), response: plain.response }
  const authenticationProvider: SaslProvider = ({ saslAuthenticate }) => ({
    authenticate: () => saslAuthenticate(exchange),
  })
  return { mechanism: 'plain', authenticationProvider }
}

/** Our sockets emit whole frames. kafkajs would copy each to join it with the empty rest of the frame before. */
function takeWholeFrames(connection: Connection): void {
  const processData = connection.processData.bind(connection)
  connection.processData = (frame) => {
    connection.chunks = []
    processData(frame)
  }
}

/** Without SASL, kafkajs takes an open socket for one whose API versions it has read, and never asks for them. */
async function logIn(broker: Broker): Promise<void> {
  const isConnected = broker.isConnected
  broker.isConnected = () => false
  await broker.connect()
  broker.isConnected = isConnected
}

/** Without SaslAuthenticate, kafkajs waits forever for a login if the broker is silent or the connection is reset. */
async function within(milliseconds: number, login: Promise<void>, { socket }: Connection): Promise<void> {
  const ended = new Promise<never>((_, reject) => {
    socket.once('close', () => reject(socket.errored ?? new Error('the connection was closed')))
  })
  const silence = new Error(`no answer within ${milliseconds / 1000} s`)
  const timer = setTimeout(() => socket.destroy(silence), milliseconds)
  try {
    await Promise.race([login, ended])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Sends every request over this one connection, so that it reaches the cluster that was identified. The pool would
 * reconnect silently, perhaps to another cluster at the same address, and would open a second connection for Fetch.
 */
function bindTo(connection: Connection, pool: ConnectionPool, address: BrokerAddress): void {
  pool.getConnection = async () => {
    if (connection.isConnected()) return connection
    throw connectionClosed(address)
  }
}

/** kafkajs would wait for every outstanding answer, each for as long as a request may take. */
async function closeNow(connection: Connection, pool: ConnectionPool, error: DtsError): Promise<void> {
  connection.socket.destroy()
  connection.rejectRequests(error)
  await pool.destroy()
  // After this turn, waiting requests have failed, and a request that was being encoded is in the queue. Later requests
  // are refused.
  await setImmediate()
  connection.rejectRequests(error)
}

function connectionClosed(address: BrokerAddress): DtsError {
  return brokerFailed(formatAddress(address), 'connection', new Error('the connection was closed'))
}

function negotiate(broker: Broker): number {
  const offered = broker.versions?.[fetchApiKey]
  const version = Math.min(fetchVersions.max, offered?.maxVersion ?? -1)
  if (version < fetchVersions.min || version < (offered?.minVersion ?? 0)) {
    throw new DtsError(
      'PROTOCOL_UNSUPPORTED',
      `The broker offers Fetch versions ${offered?.minVersion ?? '?'} to ${offered?.maxVersion ?? '?'}; ` +
        `the poller reads ${fetchVersions.min} to ${fetchVersions.max} (Kafka 0.11 and later). Nothing was read. ` +
        'Ask DTS support for a node that offers one of these.',
      { retryable: false },
    )
  }
  return version
}

function sendFetch(connection: Connection, version: number, request: FetchRequest): Promise<FetchResponse> {
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
  // Our decoder replaces kafkajs' own, which does not check the CRC.
  return connection.send<FetchResponse>({
    ...exchange,
    response: {
      decode: async (payload) => parseFetchResponse(payload, version),
      parse: async (response) => response as FetchResponse,
    },
    requestTimeout: request.maxWaitMs + requestTimeoutMs,
  })
}
