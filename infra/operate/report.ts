import { type ParseArgsConfig, parseArgs } from 'node:util'
import { isDtsError } from '../../lib/errors.ts'
import { printableLines } from '../../lib/text/printable.ts'

/** The arguments do not have the form that the usage text of their command describes. */
export class UsageError extends Error {}

/** As `parseArgs` of Node. @throws UsageError */
export function readArguments<Config extends ParseArgsConfig>(
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/**
 * Runs a command and prints its errors for people.
 * @returns its exit code; 2 for wrong arguments, 1 for an error of ours
 */
export async function reporting(usage: string, run: () => Promise<number>): Promise<number> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${printableLines(error.message)}\n\n${usage}`)
      return 2
    }
    if (!isDtsError(error)) throw error
    console.error(`${error.code}: ${error.message}`)
    return 1
  }
}
