import { type ErrorCode, errorCodeNames } from './error-codes.ts'
import { printableLines } from './text/printable.ts'
import { messageOf } from './text/thrown.ts'

export type { ErrorCode } from './error-codes.ts'

const ownCodes: ReadonlySet<string> = new Set(errorCodeNames)

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
    // Messages name tables, hosts and statements, and end up in terminals that this project does not write to.
    super(printableLines(message), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = code
    this.code = code
    this.retryable = options.retryable
    this.facts = options.facts ?? {}
  }
}

/** Whether a caught value is an error of ours that is whole; false for any value that does not let itself be asked. */
export function isDtsError(value: unknown): value is DtsError {
  try {
    return value instanceof DtsError && typeof value.message === 'string' && ownCodes.has(value.code)
  } catch {
    return false
  }
}

/** `value` as a DtsError; anything else becomes `code` with the original as cause and its message repeated. */
export function asDtsError(value: unknown, code: ErrorCode, retryable: boolean): DtsError {
  if (isDtsError(value)) return value
  return new DtsError(code, messageOf(value), { retryable, cause: value })
}
