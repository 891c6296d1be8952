import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** The exit code of a command and its output. */
export interface CommandResult {
  readonly code: number | null
  /** Both streams, in the order in which they came. */
  readonly output: string
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program of Node in a folder. Of this process's variables it sees only PATH. HOME hides the user's own settings. */
export async function runNode(
  folder: string,
  parameters: readonly string[],
  environment: Record<string, string> = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, parameters, {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const texts = { output: '', stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text
      texts.output += text
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...texts }
}
