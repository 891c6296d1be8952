import { handOverBounds } from '../lib/config.ts'
import { leaseTerms } from '../lib/poll/lease-terms.ts'

/** The period of the schedule of infra/stream-functions.ts, in seconds. */
const periodSeconds = 60
/** The next run connects, asks for the lease, and waits for a batch in flight, in seconds. */
const overlapSeconds = 10

/** A poller as serverless holds it. */
export interface PollerSettings {
  readonly environment?: Readonly<Record<string, unknown>>
  readonly timeout?: unknown
  readonly reservedConcurrency?: unknown
}

/** Whether the runs of a poller with these variables hand the lease over. */
export function handsOver(environment: Readonly<Record<string, unknown>> = {}): boolean {
  return String(environment.POLL_HANDOVER ?? '').trim() === 'true'
}

/**
 * Settings with which runs cannot hand over, so that the stream would wait for the next start in each minute.
 * @returns the faults, as text
 */
export function handOverProblems(key: string, poller: PollerSettings): string[] {
  const { environment = {}, timeout, reservedConcurrency } = poller
  if (!/^poller(-|$)/.test(key) || !handsOver(environment)) return []
  const linger = secondsOf(environment.POLL_LINGER_SECONDS) ?? handOverBounds.lingerSeconds
  const { worstCaseMs } = leaseTerms((secondsOf(environment.HANDLER_TIMEOUT_SECONDS) ?? 30) * 1_000)
  const least = periodSeconds + overlapSeconds
  const needed = linger + overlapSeconds + worstCaseMs / 1_000
  return [
    ...(reservedConcurrency === undefined || Number(reservedConcurrency) >= 2
      ? []
      : [
          `POLL_HANDOVER is true, and ${key} reserves a concurrency of ${reservedConcurrency}. A run and the one that takes over ` +
            'from it run at the same time: reserve 2 in custom.stream.poller, or leave the setting out.',
        ]),
    ...(linger >= least
      ? []
      : [
          `POLL_HANDOVER is true, and POLL_LINGER_SECONDS is ${linger}. On an idle stream, a run would end before the next one ` +
            `takes over: a run starts every ${periodSeconds} s. Leave POLL_LINGER_SECONDS out (${handOverBounds.lingerSeconds} ` +
            `then), or set it to at least ${least}.`,
        ]),
    ...(typeof timeout !== 'number' || timeout >= needed
      ? []
      : [
          `POLL_HANDOVER is true, and the timeout of ${key} is ${timeout} s. A run must last for ${linger} s of waiting, ` +
            `${overlapSeconds} s of hand-over and ${worstCaseMs / 1_000} s of its slowest function: set ` +
            `custom.stream.poller.timeout to at least ${needed}` +
            `${needed > 900 ? ', which Lambda does not allow: lower POLL_LINGER_SECONDS or the timeout of that function' : ''}.`,
        ]),
  ]
}

/** Null if it is no number: other checks report that. */
function secondsOf(value: unknown): number | null {
  const text = String(value ?? '').trim()
  return /^\d+$/.test(text) ? Number(text) : null
}
