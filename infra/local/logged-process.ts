import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

/**
 * Starts Node.js with its output in a file. The process writes the file itself: a stream of this process would end with the
 * first of the two outputs, and then fail at the other one.
 */
export function startLogged(
  logFile: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): ChildProcess {
  const log = openSync(logFile, 'w')
  try {
    return spawn(process.execPath, args, { ...options, stdio: ['ignore', log, log] })
  } finally {
    closeSync(log)
  }
}
