/**
 * `npm start`: the whole product on this machine. `npm start -- --once` plays a fixed scenario and judges it.
 */
import { readFileSync, statSync } from 'node:fs'
import { inspect } from 'node:util'
import { DtsError } from '../../lib/errors.ts'
import { printable, printableLines } from '../../lib/text/printable.ts'
import { readArguments, UsageError } from '../operate/report.ts'
import { FeedReader } from './feed/feed-reader.ts'
import { folderOrigin } from './feed/folder-origin.ts'
import { runLive } from './live.ts'
import { type MirrorCall, mirrorCall } from './mirror/arguments.ts'
import { mirrorOrigin } from './mirror/mirror-origin.ts'
import { playOnce } from './once.ts'
import { feedOrigin, type Origin, shopOrigin } from './origin.ts'
import { pagePortOf, pagePortOption } from './page-port.ts'
import { LocalStackError, root } from './stack.ts'

interface Values {
  readonly once?: boolean
  readonly feed?: string
  readonly source?: string
  readonly help?: boolean
  readonly 'page-port'?: string
}

const usage = `npm start                          a live stream of a shop, until q
npm start -- --feed orders.jsonl   a live stream of the changes in a file, one on each line, until q
npm start -- --feed orders.sql     the same of a script of INSERT, UPDATE and DELETE
npm start -- --feed changes/       the same of the files *.jsonl in a folder, and of lines that are added to them
npm start -- --dts [flags]         a copy of a real stream, until q; flags as npm run tail has them: --from (latest), --source,
                                   --broker-url, --topic, --sid, --user, --password; or the variables DTS_… of .env or the shell
npm start -- --source crm …        any of these, with the handlers of this source of custom.sources
npm start -- --page-port 8080 …    any of these, with its page on this port of 127.0.0.1 instead of a free one
npm start -- --once                a fixed scenario, then its result`
/** Ignoring the address would show the shop to a person who expects the real stream. */
const notReal =
  'DTS_BROKER_URL is set in this shell, but npm start plays a shop of its own.\nTo run the local functions on that stream: ' +
  'npm start -- --dts\nTo start the shop: env -u DTS_BROKER_URL npm start'
const say = (line: string) => console.log(printable(line))

try {
  const options = {
    once: { type: 'boolean' },
    feed: { type: 'string' },
    source: { type: 'string' },
    help: { type: 'boolean' },
    ...pagePortOption,
  } as const
  const given = process.argv.slice(2)
  const isReal = given.includes('--dts')
  const others = given.filter((argument) => argument !== '--dts')
  const { values } = isReal ? { values: {} as Values } : readArguments({ args: given, options })
  const pagePort = pagePortOf(values['page-port'])
  const now = Math.floor(Date.now() / 1000)
  if (values.help || (isReal && others.includes('--help'))) console.log(usage)
  else if (isReal) await runReal(mirrorCall(others), now)
  else if (values.once && (values.feed !== undefined || values.source !== undefined || pagePort !== 0))
    throw new LocalStackError(
      `--once plays changes of its own with the shop's handlers, and has no page.\n${usage}`,
    )
  else if (values.once) process.exitCode = await playOnce(say)
  else if (process.env.DTS_BROKER_URL) throw new LocalStackError(notReal)
  else {
    const reader = new FeedReader()
    const { feed } = values
    await runLive(say, feed === undefined ? shopOrigin(now) : await feedFrom(feed, reader, now), {
      pagePort,
      source: values.source,
      reader,
    })
  }
} catch (error) {
  const wrongArgument = error instanceof UsageError
  // An error of the project says what to do. A stack trace would bury that.
  console.error(printableLines(wrongArgument ? `${error.message}\n${usage}` : toldOf(error)))
  process.exitCode = 1
}

async function runReal(call: MirrorCall, now: number): Promise<void> {
  const { pagePort, source } = call
  await runLive(say, await mirrorOrigin(call, root, now), { pagePort, source })
}

function toldOf(error: unknown): string {
  if (error instanceof DtsError) return `${error.code}: ${error.message}`
  return error instanceof LocalStackError ? error.message : inspect(error)
}

/** The changes of a file, of a script, or of the files in a folder. @throws DtsError CHANGE_JSON_INVALID: nothing is started */
async function feedFrom(path: string, reader: FeedReader, now: number): Promise<Origin> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return folderOrigin(path, reader, now)
  return feedOrigin(reader.readWhole(path, textOf(path), now).records, now)
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new LocalStackError(
      `The feed ${file} cannot be read: ${error instanceof Error ? error.message : error}`,
    )
  }
}
