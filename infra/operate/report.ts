import { isDtsError } from '../../lib/errors.ts'
import { printableLines } from '../../lib/text/printable.ts'
import { UsageError } from './arguments.ts'

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
