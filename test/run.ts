/**
 * `node test/run.ts <suite> [option …] [file …]`: runs one of the suites below, or only the named files. It accepts the
 * options of Node's test runner, such as `--test-name-pattern=…`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

interface Suite {
  readonly files: readonly string[]
  /** How many files run at the same time. */
  readonly atOnce: number
  /** Whether it needs the programs that test/rig/install.ts installs. */
  readonly isReal: boolean
}

const root = fileURLToPath(new URL('..', import.meta.url))
const embedded = '{examples,test/{lib,functions,infra,integration,simulation,bench}}/**'
const suites: Readonly<Record<string, Suite>> = {
  // Many tests wait for another process, so three files keep two cores busy.
  quick: { files: find(`${embedded}/!(*.deep|*.real).test.ts`), atOnce: 3, isReal: false },
  // The files whose tests take long.
  deep: { files: find(`${embedded}/*.deep.test.ts`), atOnce: 2, isReal: false },
  real: {
    files: find('test/{integration/*.real,lib/**/*.real,processes/*,real/*}.test.ts'),
    atOnce: 2,
    isReal: true,
  },
  processes: { files: find('test/processes/*.test.ts'), atOnce: 1, isReal: true },
}

function find(pattern: string): string[] {
  return globSync(pattern, { cwd: root }).sort()
}

const [name = '', ...rest] = process.argv.slice(2)
const suite = suites[name]
if (suite === undefined)
  throw new RangeError(`A suite is one of ${Object.keys(suites).join(', ')}, not "${name}".`)
const options = rest.filter((argument) => argument.startsWith('-'))
const named = rest.filter((argument) => !argument.startsWith('-'))
if (suite.isReal) await import('./rig/install.ts')

const flags = [
  '--test',
  `--import=${new URL('./rig/watchdog.ts', import.meta.url).href}`,
  // The limit of each test and hook. Tests take a small part of it, so only a hang reaches it.
  '--test-timeout=60000',
  `--test-concurrency=${named.length > 0 ? 1 : suite.atOnce}`,
]
const files = named.length > 0 ? named : suite.files
// Every file of tests is a process, and most load the same modules. What one compiled, the next one reads. The deep suite
// counts executed blocks of code, which cached code reports less precisely.
const env =
  name === 'quick'
    ? { ...process.env, NODE_COMPILE_CACHE: `${root}node_modules/.cache/compiled` }
    : process.env
const child = spawn(process.execPath, [...flags, ...options, ...files], { cwd: root, env, stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
const [code] = await once(child, 'exit')
process.exitCode = code ?? 1
