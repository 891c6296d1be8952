import { reachedTime } from '../../checkpoint/source-times.ts'
import type { Checkpoint } from '../../checkpoint/types.ts'

/** How old the position is, in seconds; 0 at the end of the log. @param now in milliseconds since 1970 */
export function lagSeconds(stored: Checkpoint, isAtEnd: boolean, now: number): number {
  const seconds = now / 1_000
  return isAtEnd ? 0 : Math.max(0, Math.floor(seconds) - reachedTime(stored, seconds))
}
