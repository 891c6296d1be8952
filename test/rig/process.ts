import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface RigProcess {
  readonly pid: number
  /** The end of the process's output. */
  output(): string
  /** Throws when the process has ended. */
  assertRunning(): void
  /** Sends a signal such as SIGSTOP or SIGCONT. Does nothing if the process has ended. */
  kill(signal: NodeJS.Signals): void
  /** Ends the process, even a stopped one. Waits for its end and removes its scratch directory. */
  stop(): Promise<void>
}

export interface RigCommand {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** From `scratchDirectory()`. Holds the log and the files of the process. `stop()` removes it. */
  readonly scratch: string
}

const running = new Set<{ child: ChildProcess; scratch: string }>()

process.on('exit', () => {
  for (const { child, scratch } of running) {
    child.kill('SIGKILL')
    rmSync(scratch, { recursive: true, force: true })
  }
})

const prefix = 'dts-functions-rig-'

/** A new directory for one process. Also removes directories of killed test processes. */
export function scratchDirectory(name: string): string {
  for (const entry of readdirSync(tmpdir()).filter((entry) => entry.startsWith(prefix))) {
    const owner = Number(entry.slice(prefix.length).split('-')[0])
    if (!exists(owner)) rmSync(join(tmpdir(), entry), { recursive: true, force: true })
  }
  return mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-${name}-`))
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM means that another user's process has this id.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/**
 * Starts a process that cannot outlive this one. An exit handler ends it. With `setpriv` (every Linux with util-linux)
 * the kernel ends it too, when this process is killed and no handler can run. Its output goes to a file, so that a busy
 * test never blocks it.
 */
export function startProcess({ name, command, args, env, scratch }: RigCommand): RigProcess {
  const log = join(scratch, 'output.log')
  const logFile = openSync(log, 'w')
  const [program, ...rest] = existsSync('/usr/bin/setpriv')
    ? ['/usr/bin/setpriv', '--pdeathsig', 'KILL', command, ...args]
    : [command, ...args]
  const child = spawn(program ?? command, rest, {
    cwd: scratch,
    env: { ...process.env, ...env },
    stdio: ['ignore', logFile, logFile],
  })
  closeSync(logFile)
  child.unref()
  const entry = { child, scratch }
  running.add(entry)
  let failure: Error | undefined
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', (error) => {
      failure = error
      resolve()
    })
  })
  const hasEnded = () => failure !== undefined || child.exitCode !== null || child.signalCode !== null
  const output = () => readFileSync(log, 'utf8').slice(-8_000)

  return {
    pid: child.pid ?? -1,
    output,
    assertRunning() {
      if (!hasEnded()) return
      const how = failure?.message ?? child.signalCode ?? `exit code ${child.exitCode}`
      throw new Error(`${name} (${command}) ended by itself: ${how}. It printed:\n${output()}`)
    },
    kill(signal) {
      if (!hasEnded()) child.kill(signal)
    },
    async stop() {
      if (!hasEnded()) {
        child.ref()
        child.kill('SIGKILL')
        await ended
      }
      running.delete(entry)
      rmSync(scratch, { recursive: true, force: true })
    },
  }
}

/** Repeats `probe` until it succeeds. Throws if the process has ended; after `seconds`, ends it and throws. */
export async function whenReady(
  name: string,
  part: RigProcess,
  probe: () => Promise<void>,
  seconds = 90,
): Promise<void> {
  const deadline = performance.now() + seconds * 1_000
  let last: unknown
  try {
    while (performance.now() < deadline) {
      part.assertRunning()
      try {
        return await probe()
      } catch (error) {
        last = error
      }
      await sleep(100)
    }
    throw new Error(`${name} did not answer within ${seconds} s: ${last}. It printed:\n${part.output()}`, {
      cause: last,
    })
  } catch (error) {
    await part.stop()
    throw error
  }
}
