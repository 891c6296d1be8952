import { playScenario, type ScenarioStream, scenarioSettings, streamSeconds } from './scenario.ts'
import { type LocalStack, startStack } from './stack.ts'

/**
 * Plays the scenario on the local stack.
 * @returns the exit code: 0 only if no change was lost or out of order
 */
export async function playOnce(say: (line: string) => void): Promise<number> {
  const startTime = Math.floor(Date.now() / 1000) - streamSeconds
  say('Starting DStore emulator, dynalite and serverless-offline …')
  const stack = await startStack(startTime, scenarioSettings)
  try {
    return (await playScenario({ ...stack, stream: streamOf(stack) }, startTime, say)) ? 0 : 1
  } catch (error) {
    say(`The functions' log is ${stack.logFile}`)
    throw error
  } finally {
    await stack.stop()
  }
}

function streamOf({ dstore }: LocalStack): ScenarioStream {
  return {
    get clusterId() {
      return dstore.clusterId
    },
    append: (records) => dstore.append(records),
    filler: (count) => dstore.filler(count),
    switchCluster: (fromTimestamp) => dstore.switchCluster({ fromTimestamp, firstOffset: 1_000_003n }),
    end: () => dstore.range.end,
  }
}
