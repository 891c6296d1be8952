import type { PollDependencies } from './dependencies.ts'

/** The longest wait for each thing that a run does only for others, in milliseconds. */
const courtesyMs = 3_000

/**
 * Does what nothing depends on, for as long as it may take: otherwise a broker that does not answer would keep a run from
 * its work, or from telling how it ended.
 * @returns null when it took too long; then it may still be under way
 */
export async function courtesy<Result>(
  { remainingMs, sleep }: Pick<PollDependencies, 'remainingMs' | 'sleep'>,
  act: () => Promise<Result>,
): Promise<Result | null> {
  const timer = new AbortController()
  const patience = sleep(Math.min(courtesyMs, remainingMs() - courtesyMs), timer.signal).then(() => null)
  const result = await Promise.race([act(), patience])
  timer.abort()
  return result
}
