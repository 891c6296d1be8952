import type { Position } from '../checkpoint/types.ts'
import { deploymentName } from '../kafka/commit-mark.ts'
import type { Stream } from '../kafka/stream.ts'
import { commitToGroup, type GroupAnswer, generationOf, otherDeployment } from '../log/group.ts'
import type { PollDependencies } from './dependencies.ts'
import { optionalWork } from './optional-work.ts'
import type { PollSummary } from './summary.ts'

/**
 * Commits a new generation to the consumer group before any handler is invoked in it. If an item of an older generation is
 * restored later, only the group can show it.
 * @param stored the position that the item has
 * @param answer of the group; null if it did not answer in time
 */
export async function announceGeneration(
  dependencies: PollDependencies,
  stream: Stream,
  stored: Position,
  generation: number,
  answer: GroupAnswer | null,
  summary: PollSummary,
): Promise<void> {
  if (answer === null) return
  const other = otherDeployment(answer)
  if (other !== null) summary.otherDeployment = deploymentName(other)
  if (!answer.isKnown || generationOf(answer) === generation) return
  const result = await optionalWork(dependencies, () => commitToGroup(stream, stored, generation))
  if (result !== null && result !== 'done') summary.groupCommit = result
}

/**
 * Commits the stored position to the consumer group. DTS carries this commit over to a new cluster. A failure is only reported.
 * @param stored the position that the item has: the group must never be ahead of it
 */
export async function commitStored(
  { signal }: PollDependencies,
  stream: Stream,
  stored: Position,
  generation: number,
  summary: PollSummary,
): Promise<void> {
  if (summary.from === String(stored.offset) || signal.aborted) return
  summary.groupCommit = await commitToGroup(stream, stored, generation)
}
