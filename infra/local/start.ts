/**
 * `npm start`: the whole product on this machine. `npm start -- --once` plays a fixed scenario and judges it.
 */
import { inspect, parseArgs } from 'node:util'
import { DtsError } from '../../lib/errors.ts'
import { printable, printableLines } from '../../lib/text/printable.ts'
import { runLive } from './live.ts'
import { playOnce } from './once.ts'

const usage =
  'npm start            a live stream, until q\nnpm start -- --once  a fixed scenario, then its result'
const say = (line: string) => console.log(printable(line))

try {
  const { values } = parseArgs({ options: { once: { type: 'boolean' }, help: { type: 'boolean' } } })
  if (values.help) console.log(usage)
  else if (values.once) process.exitCode = await playOnce(say)
  else await runLive(say)
} catch (error) {
  const wrongArgument = error instanceof TypeError && 'code' in error
  // An error of the project says what to do. A stack trace would bury that.
  const told = error instanceof DtsError ? `${error.code}: ${error.message}` : inspect(error)
  console.error(printableLines(wrongArgument ? `${error.message}\n${usage}` : told))
  process.exitCode = 1
}
