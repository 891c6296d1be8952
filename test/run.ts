/**
 * `node test/run.ts <suite> [option …] [file …]`: runs one of the suites below, or only the named files. It accepts the
 * options of Node's test runner, such as `--test-name-pattern=…`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

interface Part {
  readonly files: readonly string[]
  /** How many files run at the same time. */
  readonly atOnce: number
}

interface Suite {
  /** Whether it needs the programs that test/rig/install.ts installs. */
  readonly isReal: boolean
  readonly parts: readonly Part[]
}

const root = fileURLToPath(new URL('..', import.meta.url))
const embedded = 'test/{lib,functions,infra,integration,simulation,bench}/**'
const suites: Readonly<Record<string, Suite>> = {
  // Many tests wait for another process, so three files keep two cores busy.
  quick: { isReal: false, parts: [{ files: find(`${embedded}/!(*.deep|*.real).test.ts`), atOnce: 3 }] },
  // The files whose tests take long.
  deep: { isReal: false, parts: [{ files: find(`${embedded}/*.deep.test.ts`), atOnce: 2 }] },
  real: {
    isReal: true,
    parts: [
      { files: find('test/integration/kafka-*.real.test.ts'), atOnce: 2 },
      { files: find('test/{real/*,processes/*,lib/**/*.real,integration/switches.real}.test.ts'), atOnce: 1 },
    ],
  },
  processes: { isReal: true, parts: [{ files: find('test/processes/*.test.ts'), atOnce: 1 }] },
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
const parts = named.length > 0 ? [{ files: named, atOnce: 1 }] : suite.parts
if (suite.isReal) await import('./rig/install.ts')
for (const part of parts) if (!(await run(part))) break

async function run({ files, atOnce }: Part): Promise<boolean> {
  const flags = [
    '--test',
    `--import=${new URL('./rig/watchdog.ts', import.meta.url).href}`,
    // The limit of each test and hook. Tests take a small part of it, so only a hang reaches it.
    '--test-timeout=60000',
    `--test-concurrency=${atOnce}`,
  ]
  const child = spawn(process.execPath, [...flags, ...options, ...files], { cwd: root, stdio: 'inherit' })
  const forward = (signal: NodeJS.Signals) => child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, forward)
  const [code] = await once(child, 'exit')
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, forward)
  if (code !== 0) process.exitCode = code ?? 1
  return code === 0
}
