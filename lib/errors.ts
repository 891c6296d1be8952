import { type ErrorCode, errorCodeNames } from './error-code-names.ts'
import { printable, printableLines, printableValue } from './text/printable.ts'
import { messageOf, nameOf } from './text/thrown.ts'

export type { ErrorCode } from './error-code-names.ts'

const ownCodes: ReadonlySet<string> = new Set(errorCodeNames)

/** The values that an error is about, for logs and tests. Never row values, raw bytes or secrets. */
export type Facts = Readonly<Record<string, string | number | boolean | null>>

/** A position that a reset can go to. Offsets are decimal digits; times are in seconds. */
export type ResetTarget =
  | 'earliest'
  | 'latest'
  | 'committed'
  | { readonly offset: string }
  | { readonly timestamp: number }
  /** Back to before a move: 0 is the last one. */
  | { readonly ledger: number }

/**
 * One thing that a person can do next, as a value: each front end writes it in its own words (lib/recovery/next-steps.ts).
 * `purpose` completes "To …:"; without one, the action's usual purpose is shown.
 */
export type NextStep = { readonly purpose?: string | undefined } & (
  | { readonly action: 'inspect' | 'doctor' | 'resume' | 'pause' | 'release' }
  | {
      readonly action: 'reset'
      readonly to?: ResetTarget | undefined
      /** Applies exactly what a dry run announced. */
      readonly token?: string | undefined
      readonly acceptLoss?: true | undefined
    }
  | {
      readonly action: 'redrive'
      readonly table?: string | undefined
      readonly dryRun?: true | undefined
    }
  /** Repeat the same later. `until` is an ISO 8601 time. */
  | { readonly action: 'wait'; readonly until: string }
  /** `change` is an instruction without a full stop, such as "Correct the handler". */
  | { readonly action: 'deploy'; readonly change: string }
)

export interface ErrorOptions {
  /** True if the same call can succeed later without a change by a person. */
  readonly retryable: boolean
  readonly facts?: Facts
  /** What a person can do, the recommended step first. */
  readonly next?: readonly NextStep[]
  readonly cause?: unknown
}

/**
 * The one error class of the project. `message` says what happened, with the values, and what it means for the data. It
 * contains no command: `next` says what to run, and the front end writes it.
 */
export class DtsError extends Error {
  /** Equal to `code`, so that Lambda's `errorType`, stacks and logs begin with it. */
  override readonly name: ErrorCode
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly facts: Facts
  readonly next: readonly NextStep[]

  constructor(code: ErrorCode, message: string, options: ErrorOptions) {
    // Messages name tables, hosts and statements, and programs of others print them in terminals.
    super(printableLines(message), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = code
    this.code = code
    this.retryable = options.retryable
    this.facts = options.facts ?? {}
    this.next = options.next ?? []
  }
}

/** Whether a caught value is a complete error of ours. False for a value that cannot be examined, such as a hostile proxy. */
export function isDtsError(value: unknown): value is DtsError {
  try {
    return value instanceof DtsError && typeof value.message === 'string' && ownCodes.has(value.code)
  } catch {
    return false
  }
}

/** `value` as a DtsError. Any other value becomes an error with this code and its own message, and is kept as the cause. */
export function asDtsError(value: unknown, code: ErrorCode, retryable: boolean): DtsError {
  if (isDtsError(value)) return value
  return new DtsError(code, messageOf(value), { retryable, cause: value })
}

/** The cause of an error, as a log line may keep it. */
export interface LoggedCause {
  readonly name: string
  /** Only of errors of ours: the message of another error may quote a row or a secret. */
  readonly message?: string
  /** What the system or a library calls it, such as ECONNREFUSED. */
  readonly code?: string
  readonly cause?: LoggedCause
}

/** A caught value, as a log line keeps it. Contains no row values. */
export interface LoggedError {
  readonly code: string
  readonly reason?: string
  readonly retryable?: boolean
  readonly facts?: Facts
  readonly cause?: LoggedCause
}

export function loggedError(thrown: unknown): LoggedError {
  const cause = causeOf(thrown, 0)
  const kept = cause === undefined ? {} : { cause }
  if (!isDtsError(thrown)) return { code: safeName(thrown), ...kept }
  const { code, message, retryable, facts } = thrown
  return { code, reason: message, retryable, facts: printableValue(facts), ...kept }
}

/** An error can be its own cause. */
const maxCauses = 5
const maxNameLength = 200

function causeOf(thrown: unknown, depth: number): LoggedCause | undefined {
  const cause = memberOf(thrown, 'cause')
  if (cause === undefined || cause === null || depth === maxCauses) return undefined
  const code = memberOf(cause, 'code')
  const above = causeOf(cause, depth + 1)
  return {
    name: safeName(cause),
    ...(isDtsError(cause) ? { message: cause.message } : {}),
    ...(typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,60}$/.test(code) ? { code } : {}),
    ...(above === undefined ? {} : { cause: above }),
  }
}

function safeName(thrown: unknown): string {
  return printable(nameOf(thrown)).slice(0, maxNameLength)
}

function memberOf(value: unknown, key: string): unknown {
  try {
    return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
  } catch {
    return undefined
  }
}
