import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findCommand, javaCommand, storeDirectory } from './tools.ts'

const run = promisify(execFile)
const project = fileURLToPath(new URL('./java/', import.meta.url))

/** The programs of `test/rig/java`. They use Alibaba's SDK and its dependencies. */
export type GoldenProgram = 'Write' | 'Produce' | 'Consume'

/**
 * Command and arguments of one of the programs.
 * Builds the project with Maven the first time, and again when its files change.
 */
async function goldenProgram(program: GoldenProgram, args: readonly string[]) {
  const directory = await buildGolden()
  const classPath = [join(directory, 'classes'), join(directory, 'lib', '*')].join(delimiter)
  return {
    command: javaCommand(),
    // The SDK's DateTime reads the JDK's internal list of time zones. Java 9 and later need this flag for it.
    args: [
      '--add-exports=java.base/sun.util.calendar=ALL-UNNAMED',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      classPath,
      `golden.${program}`,
      ...args,
    ],
  }
}

/**
 * Runs one of the programs to its end.
 * @param args paths must be absolute
 * @param cwd working directory: the SDK keeps its log and its checkpoint there
 * @returns the program's output; an error contains it too
 */
export async function runGolden(
  program: GoldenProgram,
  args: readonly string[],
  cwd: string,
): Promise<string> {
  const java = await goldenProgram(program, args)
  const { stdout } = await run(java.command, java.args, {
    cwd,
    timeout: 120_000,
    killSignal: 'SIGKILL',
    maxBuffer: 64 << 20,
  }).catch((cause) => {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }
    throw new Error(`${program} failed. It printed:\n${`${stdout}${stderr}`.slice(-4_000)}`, { cause })
  })
  return stdout
}

function sources(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

/** Builds in another folder and renames it, so that a killed or a second build never leaves half a result. @returns the folder */
export async function buildGolden(): Promise<string> {
  const digest = createHash('sha256')
  for (const file of sources(project)) digest.update(readFileSync(file))
  const target = join(storeDirectory, `java-${digest.digest('hex').slice(0, 12)}`)
  if (existsSync(target)) return target
  const maven = findCommand('mvn')
  if (maven === undefined) {
    throw new Error(
      'Maven is not on this machine. On Debian: apt-get install -y maven openjdk-17-jdk-headless',
    )
  }
  mkdirSync(storeDirectory, { recursive: true })
  const aside = mkdtempSync(join(storeDirectory, '.java-'))
  try {
    await run(
      maven,
      ['-B', '-q', '-f', join(project, 'pom.xml'), `-Drig.output=${aside}`, 'process-classes'],
      {
        maxBuffer: 64 << 20,
      },
    )
    renameSync(aside, target)
  } catch (cause) {
    rmSync(aside, { recursive: true, force: true })
    if (existsSync(target)) return target
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }
    throw new Error(`The Java programs did not build:\n${`${stdout}${stderr}`.slice(-4_000)}`, { cause })
  }
  return target
}
