import { setTimeout } from 'node:timers/promises'
import { streamOpener } from '../../../lib/connect/clients.ts'
import { isDtsError } from '../../../lib/errors.ts'
import { printableLines } from '../../../lib/text/printable.ts'
import { UsageError } from '../report.ts'
import { sourceConfig } from '../stream-flags.ts'
import { toTailCall, usage } from './arguments.ts'
import { outputTo } from './output.ts'
import { tail } from './tail.ts'

/** The exit code of a program that Ctrl-C ended. */
const interrupted = 130

/** Prints the changes of a stream. @returns the exit code */
export async function runTail(argv: readonly string[], program: string): Promise<number> {
  const ending = new AbortController()
  const { signal } = ending
  let isInterrupted = false
  process.once('SIGINT', () => {
    isInterrupted = true
    ending.abort()
  })
  process.once('SIGTERM', () => ending.abort())
  try {
    const call = toTailCall(argv)
    if (call === null) {
      console.log(usage(program))
      return 0
    }
    const { open, passwordNote } = streamOpener(await sourceConfig(call, process.env, process.cwd()))
    const output = outputTo(process.stdout, process.stderr, () => ending.abort())
    const wait = (ms: number) => setTimeout(ms, undefined, { signal }).catch(() => {})
    const isComplete = await tail(call, { open, output, now: Date.now, wait, signal })
    const note = passwordNote()
    if (note !== null) output.note(note)
    return isInterrupted ? interrupted : isComplete ? 0 : 1
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(printableLines(`${error.message}\n${program} --help lists the flags.`))
      return 2
    }
    if (!isDtsError(error)) throw error
    if (signal.aborted) return interrupted
    console.error(`${error.code}: ${error.message}`)
    return error.code === 'CONDITION_INVALID' || error.code === 'CONFIG_INVALID' ? 2 : 1
  }
}
