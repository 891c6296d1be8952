import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const here = fileURLToPath(new URL('.', import.meta.url))

/** The folder for downloaded parts, at the top of the repository. git ignores it. */
export const storeDirectory = fileURLToPath(new URL('../../.rig/', import.meta.url))

/** The path of a command on PATH or in one of `others`; undefined if it is in none. */
export function findCommand(name: string, others: readonly string[] = []): string | undefined {
  return [...(process.env.PATH ?? '').split(delimiter), ...others]
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path))
}

/** The Java command: 17 if Debian has installed it, because newer ones cannot run the oldest part. */
export function javaCommand(): string {
  const machine = '/usr/lib/jvm'
  const seventeen = existsSync(machine)
    ? readdirSync(machine)
        .filter((name) => name.startsWith('java-17-'))
        .map((name) => join(machine, name, 'bin/java'))
        .find((path) => existsSync(path))
    : undefined
  const java = seventeen ?? findCommand('java')
  if (java === undefined) throw missing('Java 17', 'openjdk-17-jre-headless')
  return java
}

/**
 * The directory with the jars and native libraries of `test/rig/<folder>/pom.xml` and their dependencies. Maven fetches
 * them the first time, and again when the file changes.
 */
export async function jars(folder: string): Promise<string> {
  const pom = join(here, folder, 'pom.xml')
  const name = folder.replaceAll('/', '-')
  return stored(name, readFileSync(pom), async (directory) => {
    const maven = findCommand('mvn')
    if (maven === undefined) throw missing('Maven', 'maven')
    const options = ['-B', '-q', '-f', pom, '-DincludeScope=runtime', `-DoutputDirectory=${directory}`]
    await attempt(maven, [...options, 'dependency:copy-dependencies'])
  })
}

/** The directory of a Python environment with moto and cfn-lint. */
export function pythonEnvironment(): Promise<string> {
  return environmentOf('python', 'requirements.txt')
}

/** The directory of a Python environment with checkov. */
export function checkovEnvironment(): Promise<string> {
  return environmentOf('checkov', 'checkov-requirements.txt')
}

/** A Python environment with the packages of a file in test/rig. */
function environmentOf(name: string, file: string): Promise<string> {
  const requirements = join(here, file)
  return stored(name, readFileSync(requirements), async (directory) => {
    // Debian's Python first, because python3-venv belongs to it.
    const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : findCommand('python3')
    if (python === undefined) throw missing('Python 3', 'python3-venv')
    try {
      await run(python, ['-m', 'venv', directory])
    } catch (cause) {
      throw missing(`A Python environment (${python} -m venv)`, 'python3-venv', cause)
    }
    await attempt(join(directory, 'bin/python'), ['-m', 'pip', 'install', '--quiet', '-r', requirements])
  })
}

/**
 * The directory of AWS's runtime interface client. npm compiles its HTTP client with cmake and a C++ compiler, and without the
 * network if the headers of any Node.js version are on this machine: it uses only the stable interface for add-ons.
 */
export async function runtimeClient(): Promise<string> {
  const manifest = join(here, 'runtime/package.json')
  const directory = await stored('runtime', readFileSync(manifest), async (aside) => {
    if (findCommand('cmake') === undefined) throw missing('cmake', 'cmake')
    cpSync(manifest, join(aside, 'package.json'))
    const started = join(dirname(process.env.npm_node_execpath ?? process.execPath), '..')
    const headers = ['/usr', '/usr/local', started].find((prefix) =>
      existsSync(join(prefix, 'include/node/node_api.h')),
    )
    const env = { ...process.env, ...(headers === undefined ? {} : { npm_config_nodedir: headers }) }
    await attempt(
      'npm',
      ['install', '--no-audit', '--no-fund', '--ignore-scripts=false', '--prefix', aside],
      env,
    )
  })
  return join(directory, 'node_modules/aws-lambda-ric')
}

/**
 * A directory in the store that `fill` has filled completely. Its name is derived from `content`. It is filled under
 * another name and renamed, so that a killed or a second process never leaves half a result.
 */
async function stored(name: string, content: Buffer, fill: (directory: string) => Promise<void>) {
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 12)
  const target = join(storeDirectory, `${name}-${digest}`)
  if (existsSync(target)) return target
  mkdirSync(storeDirectory, { recursive: true })
  const aside = mkdtempSync(join(storeDirectory, `.${name}-`))
  try {
    await fill(aside)
    renameSync(aside, target)
  } catch (error) {
    rmSync(aside, { recursive: true, force: true })
    if (!existsSync(target)) throw error
  }
  return target
}

async function attempt(command: string, args: readonly string[], env = process.env): Promise<void> {
  try {
    await run(command, args, { env, maxBuffer: 64 << 20 })
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }
    throw new Error(`${command} ${args.join(' ')} failed:\n${`${stdout}${stderr}`.slice(-4_000)}`, { cause })
  }
}

function missing(what: string, debianPackage: string, cause?: unknown): Error {
  return new Error(`${what} is not on this machine. On Debian: apt-get install -y ${debianPackage}`, {
    cause,
  })
}
