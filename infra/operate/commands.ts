import { readFileSync } from 'node:fs'
import { printableLines } from '../../lib/text/printable.ts'
import { init } from '../init/init.ts'
import { pageAssets } from '../page/assets.ts'
import { usage } from './arguments.ts'
import { quoted } from './command-line.ts'
import { runConsole } from './console/run-console.ts'
import { runCost } from './cost/run-cost.ts'
import { operate } from './operate.ts'
import { readArguments, reporting, UsageError } from './report.ts'
import { runNew } from './tables/run-new.ts'
import { runTypes } from './tables/run-types.ts'
import { runTail } from './tail/run-tail.ts'

const program = 'npx dts-functions'
const initUsage = `${program} init <folder> [--service NAME]      a small service of your own, in a new folder`

const streamUsage = `${program} tail [flags]             prints the changes of the stream (--help)
${program} new database.table       a handler and its test, from the table's columns in the stream
${program} console [flags]          a page for a deployed stream (--help)
${program} cost [flags]             what a stream costs in a month
${program} types [--check]          the columns of the handled tables; --check compares them with the handlers`

/** @returns the exit code */
export async function runCommand([command, ...rest]: readonly string[]): Promise<number> {
  if (command === 'init') return runInit(rest)
  if (command === 'tail') return runTail(rest, `${program} tail`)
  if (command === 'console') return runConsole(rest, { program: `${program} console`, assets: pageAssets() })
  if (command === 'cost') return runCost(rest, `${program} cost`)
  if (command === 'new') return runNew(rest, { program: `${program} new` })
  if (command === 'types') return runTypes(rest, { program: `${program} types` })
  if (command !== undefined && command !== '--help') return operate([command, ...rest], program)
  console.log(`${initUsage}\n${streamUsage}\n\n${usage(program)}`)
  return 0
}

function runInit(argv: readonly string[]): Promise<number> {
  return reporting(initUsage, async () => {
    const call = parseInit(argv)
    if (call === null) {
      console.log(initUsage)
      return 0
    }
    const service = await init({ ...call, version: ownVersion() })
    const folder = quoted(call.folder)
    const lines = [
      `The service ${service} is in ${folder}. Next:`,
      '',
      `  cd ${folder}`,
      '  npm install && npm test',
      '  cp .env.example .env          # then enter the address of your change tracking task',
      '  npx serverless deploy',
      '  npx dts-functions doctor      # checks the set-up, line by line',
    ]
    console.log(printableLines(lines.join('\n')))
    return 0
  })
}

/** @returns null if only help is asked for. @throws UsageError */
function parseInit(argv: readonly string[]) {
  const { values, positionals } = readArguments({
    args: [...argv],
    options: { service: { type: 'string' }, help: { type: 'boolean' } },
    allowPositionals: true,
  })
  if (values.help) return null
  const [folder, ...more] = positionals
  if (folder === undefined || folder === '' || more.length > 0) throw new UsageError('Give one folder.')
  return { folder, service: values.service }
}

/** The version in the nearest package.json: two folders up from the source, three from the compiled file. */
function ownVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const { version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
        version?: string
      }
      if (version !== undefined) return version
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  throw new Error('The package.json of dts-functions is missing: install it again.')
}
