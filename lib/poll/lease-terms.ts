import type { LeaseTerms } from '../checkpoint/held-lease.ts'
import { DtsError } from '../errors.ts'
import type { LeaseMargins, PollDependencies } from './dependencies.ts'

const lambdaMargins: LeaseMargins = { coldStartMs: 10_000, commitMs: 5_000, slackMs: 15_000 }

/** @param handlerTimeoutMs the longest timeout of the table functions */
export function leaseTerms(
  handlerTimeoutMs: number,
  { coldStartMs, commitMs, slackMs }: LeaseMargins = lambdaMargins,
): LeaseTerms {
  return { worstCaseMs: handlerTimeoutMs + coldStartMs + commitMs, slackMs }
}

/**
 * Without this check, a run that can never invoke a function would end in time every minute, and all metrics would look healthy.
 * @throws DtsError CONFIG_INVALID if the run has too little time for even one invocation
 */
export function checkTime({ remainingMs }: PollDependencies, { worstCaseMs }: LeaseTerms): void {
  const leftMs = remainingMs()
  if (leftMs > worstCaseMs) return
  const seconds = Math.floor(leftMs / 1000)
  const needed = Math.floor(worstCaseMs / 1000)
  throw new DtsError(
    'CONFIG_INVALID',
    `This run has ${seconds} s, and an invocation of the slowest table function may take ${needed} s, with its cold start ` +
      'and the commit: nothing can be delivered. Raise custom.stream.poller.timeout in serverless.yml well above that, or lower ' +
      "the table function's in custom.tables, and deploy.",
    { retryable: false, facts: { seconds, needed } },
  )
}
