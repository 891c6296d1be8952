import type { Logger } from '@aws-lambda-powertools/logger'
import { cutMessage } from '../dispatch/message.ts'
import type { Change } from '../dts/change.ts'
import { isDtsError } from '../errors.ts'
import { describeThrown, nameOf } from '../text/thrown.ts'

/** A change that could not be decoded, or that the handler did not handle. */
export interface FailedChange {
  readonly offset: bigint
  /** Absent if the record could not be decoded. */
  readonly change?: Change
  /** The thrown value, which can be anything. */
  readonly error: unknown
}

/**
 * Writes the whole error to the function's own log.
 * @returns the part of it that the poller may see
 */
export function reportFailure(logger: Logger, { offset, error }: FailedChange) {
  const facts = publicFacts(error)
  logger.error('A change failed', { code: facts.code, offset: String(offset), error: describeThrown(error) })
  return { offset: String(offset), ...facts }
}

/** Our own messages never contain row values. Any other message can, so the poller gets only the name of the error. */
function publicFacts(thrown: unknown): { code: string; message: string } {
  // Lambda refuses an answer that is too large, and the poller would send the whole batch again.
  if (isDtsError(thrown)) return { code: thrown.code, message: cutMessage(thrown.message) }
  const name = cutMessage(nameOf(thrown))
  return { code: 'HANDLER_FAILED', message: `${name} was thrown; the function's own log has its message` }
}
