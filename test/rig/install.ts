/**
 * Installs all parts that the tests in test/real start: Debian packages if a command is missing and this is root, then
 * jars and the Python environment. `npm run test:real` runs it first.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { buildGolden } from './java.ts'
import { mariadbCommand } from './mariadb.ts'
import {
  checkovEnvironment,
  findCommand,
  jars,
  javaCommand,
  pythonEnvironment,
  runtimeClient,
} from './tools.ts'

// Only the parts of MariaDB without a service: `mariadb-server` would start one.
const debianPackages: readonly { readonly name: string; readonly present: () => boolean }[] = [
  { name: 'chromium', present: () => findCommand('chromium') !== undefined },
  { name: 'chromium-driver', present: () => findCommand('chromedriver') !== undefined },
  { name: 'cmake', present: () => findCommand('cmake') !== undefined },
  { name: 'g++', present: () => findCommand('g++') !== undefined },
  { name: 'kcat', present: () => findCommand('kcat') !== undefined },
  { name: 'mariadb-server-core', present: () => mariadbCommand() !== undefined },
  { name: 'mariadb-client-core', present: () => findCommand('mariadb') !== undefined },
  { name: 'openjdk-17-jdk-headless', present: () => findCommand('javac') !== undefined },
  { name: 'make', present: () => findCommand('make') !== undefined },
  { name: 'maven', present: () => findCommand('mvn') !== undefined },
  {
    name: 'python3-venv',
    present: () => existsSync('/usr/bin/python3') && succeeds('import venv, ensurepip'),
  },
]

function succeeds(python: string): boolean {
  return spawnSync('/usr/bin/python3', ['-c', python], { stdio: 'ignore' }).status === 0
}

function installDebianPackages(): string {
  const missing = debianPackages.filter(({ present }) => !present()).map(({ name }) => name)
  if (missing.length === 0) return 'nothing is missing'
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (process.getuid?.() !== 0 || findCommand('apt-get') === undefined) {
    throw new Error(`This machine lacks ${missing.join(', ')}. On Debian, as root: ${command}`)
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  for (const line of ['apt-get update', command]) {
    const [program = '', ...args] = line.split(' ')
    const { status, stdout, stderr } = spawnSync(program, args, {
      env,
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    })
    if (status !== 0) throw new Error(`${line} failed:\n${`${stdout}${stderr}`.slice(-4_000)}`)
  }
  return `installed ${missing.join(', ')}`
}

async function step(name: string, work: () => string | Promise<string>): Promise<void> {
  const start = performance.now()
  const result = await work()
  console.log(`${name}: ${result} (${((performance.now() - start) / 1_000).toFixed(1)} s)`)
}

await step('Debian packages', installDebianPackages)
await step('Java', javaCommand)
await step('Apache Kafka, era', () => jars('maven/kafka-era'))
await step('Apache Kafka, current', () => jars('maven/kafka-current'))
await step('DynamoDB Local', () => jars('maven/dynamodb-local'))
await step('Alibaba’s SDK', buildGolden)
await step('moto', pythonEnvironment)
await step('Lambda’s runtime interface client', runtimeClient)
await step('checkov', checkovEnvironment)
