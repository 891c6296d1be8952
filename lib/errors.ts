/**
 * Every error that this project raises on purpose, by its stable code.
 * The comment above a code says what it means, when it is normal, and what the operator runs next.
 */
export const errorCodes = [
  // ── configuration ──
  /** The environment or an event is not what its schema asks for. The message lists everything that is wrong. */
  'CONFIG_INVALID',

  // ── reaching DTS ──
  /** The bootstrap address (for DTS: the proxy) cannot be reached. Check DTS_BROKER_URL, VPC, security group. */
  'BROKER_UNREACHABLE',
  /** The bootstrap address answers, the node that it names as the partition's leader does not. */
  'NODE_UNREACHABLE',
  /** The broker named in Metadata is not on the allow list; no credentials were sent to it. */
  'NODE_NOT_ALLOWED',
  /** DTS refuses user, password or sid. */
  'AUTHENTICATION_FAILED',
  /** The secret that holds the password cannot be read. */
  'SECRET_UNAVAILABLE',
  /** The topic does not exist on this broker, or this consumer may not see it. */
  'TOPIC_UNKNOWN',
  /** The topic has more than one partition and DTS_PARTITION does not say which one to read. */
  'PARTITION_UNKNOWN',
  /** DTS refuses the consumer group: it must equal the sid. */
  'GROUP_REFUSED',
  /** A request to the broker failed in a way that a later try can cure. */
  'BROKER_FAILED',
  /** The broker speaks a protocol version that is not understood here. */
  'PROTOCOL_UNSUPPORTED',

  // ── what the stream contains ──
  /** A record batch fails its checksum or is malformed. Fetched again; nothing is read past it. */
  'BATCH_CORRUPT',
  /** A record batch or record is larger than the configured limits allow. */
  'BATCH_TOO_LARGE',
  /** A record whose checksum is right cannot be decoded as a DTS record. */
  'RECORD_INVALID',
  /** A text or object is not the JSON form of a change. The message names each place and what it asks for. */
  'CHANGE_JSON_INVALID',
  /** A declared column is missing, or has another type than declared. */
  'ROW_INVALID',
  /** A table has no route, and the rule for such tables is to halt. */
  'TABLE_UNROUTED',

  // ── position ──
  /** No offset is readable for the time asked for, or it lies outside the data range. */
  'CHECKPOINT_OUT_OF_RANGE',
  /** There is no stored checkpoint, and no DTS_CHECKPOINT to start from. */
  'CHECKPOINT_MISSING',
  /** The stored checkpoint item is not one that this version wrote. */
  'CHECKPOINT_INVALID',
  /** The checkpoint belongs to another cluster than the one that answers. */
  'CLUSTER_CHANGED',
  /** The cluster id is the same, but the log does not hold the record that was committed last. */
  'LOG_CHANGED',
  /** The stream is halted; only recovery moves it on. */
  'STREAM_HALTED',
  /** The stream was stopped by a person. Normal; resume when ready. */
  'PAUSED',
  /** The plan of a dry run no longer fits: checkpoint or log moved meanwhile. */
  'PLAN_OUTDATED',
  /** Reading from the position asked for would skip records, or cannot be shown not to. */
  'DATA_GAP',

  // ── lease ──
  /** Another invocation holds the lease. Normal when schedules overlap. */
  'LEASE_HELD',
  /** The lease went to another invocation during this run; this run stopped. */
  'LEASE_LOST',

  // ── DynamoDB, Lambda ──
  /** The checkpoint table does not exist, or this role may not use it. */
  'CHECKPOINT_TABLE_UNAVAILABLE',
  /** The handler function answered with an error, timed out, or its answer is not an acknowledgement. */
  'HANDLER_FAILED',
  /** The handler function could not be invoked: missing, denied, throttled, or Lambda failed. */
  'HANDLER_UNAVAILABLE',
  /** A change that was given up could not be put into the dead-letter queue. */
  'DEAD_LETTER_FAILED',
  /** Many changes were given up in a short time: the fault is hardly theirs. */
  'DEAD_LETTER_BREAKER',
  /** A single change event is larger than an invocation can carry. */
  'EVENT_TOO_LARGE',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** Facts beside an error: plain values for logs and tests. Never row values, raw bytes or secrets. */
export type Facts = Readonly<Record<string, string | number | boolean | null>>

export interface ErrorOptions {
  /** True when the same call can succeed later without anybody changing anything. */
  readonly retryable: boolean
  readonly facts?: Facts
  readonly cause?: unknown
}

/** The one error class of the project. `message` says what happened, with the values, and what to do next. */
export class DtsError extends Error {
  /** Equal to `code`, so that Lambda's `errorType`, stacks and logs all lead with it. */
  override readonly name: ErrorCode
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly facts: Facts

  constructor(code: ErrorCode, message: string, options: ErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = code
    this.code = code
    this.retryable = options.retryable
    this.facts = options.facts ?? {}
  }
}

/** `value` as a DtsError; anything else becomes `code` with the original as cause and its message repeated. */
export function asDtsError(value: unknown, code: ErrorCode, retryable: boolean): DtsError {
  if (value instanceof DtsError) return value
  const message = value instanceof Error ? value.message : String(value)
  return new DtsError(code, message, { retryable, cause: value })
}
