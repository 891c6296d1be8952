import type { PollDependencies } from './dependencies.ts'

/** The longest time for each piece of optional work, in milliseconds. */
const longestMs = 3_000

/**
 * Does work that nothing depends on, within a time limit. Without the limit, a broker that does not answer would keep the run
 * from its deliveries, or would outlast the invocation, so that the run's result is never reported.
 * @returns null at the time limit; the work may still be in progress
 */
export async function optionalWork<Result>(
  { remainingMs, sleep }: Pick<PollDependencies, 'remainingMs' | 'sleep'>,
  act: () => Promise<Result>,
): Promise<Result | null> {
  const timer = new AbortController()
  const timeLimit = sleep(Math.min(longestMs, remainingMs() - longestMs), timer.signal).then(() => null)
  const result = await Promise.race([act(), timeLimit])
  timer.abort()
  return result
}
