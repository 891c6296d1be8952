/**
 * `npm start`: the whole product on this machine. `npm start -- --once` plays a fixed scenario and judges it.
 */
import { inspect, parseArgs } from 'node:util'
import { DtsError } from '../../lib/errors.ts'
import { printable, printableLines } from '../../lib/text/printable.ts'
import { runLive } from './live.ts'
import { playOnce } from './once.ts'
import { LocalStackError } from './stack.ts'

const usage =
  'npm start            a live stream, until q\nnpm start -- --once  a fixed scenario, then its result'
/** Ignoring the address would show the shop to a person who expects the own stream. */
const notReal =
  'DTS_BROKER_URL is set in this shell, but npm start plays a shop of its own and reads no other stream. To look at that ' +
  'stream, run: npm run tail -- --follow\nTo start the shop, unset the variable: env -u DTS_BROKER_URL npm start'
const say = (line: string) => console.log(printable(line))

try {
  const { values } = parseArgs({ options: { once: { type: 'boolean' }, help: { type: 'boolean' } } })
  if (values.help) console.log(usage)
  else if (values.once) process.exitCode = await playOnce(say)
  else if (process.env.DTS_BROKER_URL) throw new LocalStackError(notReal)
  else await runLive(say)
} catch (error) {
  const wrongArgument = error instanceof TypeError && 'code' in error
  // An error of the project says what to do. A stack trace would bury that.
  console.error(printableLines(wrongArgument ? `${error.message}\n${usage}` : toldOf(error)))
  process.exitCode = 1
}

function toldOf(error: unknown): string {
  if (error instanceof DtsError) return `${error.code}: ${error.message}`
  return error instanceof LocalStackError ? error.message : inspect(error)
}
