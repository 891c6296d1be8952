import { userInfo } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { printableLines } from '../../../lib/text/printable.ts'
import type { Assets } from '../../page/assets.ts'
import { Plans } from '../../page/plans.ts'
import { type PageServer, type Search, servePage } from '../../page/server.ts'
import { type Call, toEvent } from '../arguments.ts'
import { deployedRecovery } from '../invoke-recovery.ts'
import { readArguments, reporting, UsageError } from '../report.ts'
import { serviceOfFolder } from '../service-name.ts'
import { Stage } from './stage.ts'

const usage = (program: string) => `${program} [flags]     a page for a deployed stream, until Ctrl-C

  --stage S (dev)  --service S (as in serverless.yml)  --region R
  --source NAME                the stream of custom.sources.NAME
  --partition N                the partition, if the stream has several
  --port N                     where the page listens on 127.0.0.1 (a free one)
  --by NAME                    who acts, for the ledger (the name of your login)`

const text = { type: 'string' } as const
const streamFlags = { stage: text, service: text, region: text, source: text, partition: text } as const
const options = { ...streamFlags, port: text, by: text, help: { type: 'boolean' } } as const

export interface ConsoleStart {
  /** How a person starts this. */
  readonly program: string
  readonly assets: Assets
}

/** @returns the exit code */
export function runConsole(argv: readonly string[], { program, assets }: ConsoleStart): Promise<number> {
  return reporting(usage(program), async () => {
    const call = toCall(argv)
    if (call === null) {
      console.log(usage(program))
      return 0
    }
    const ended = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort())
    await serve(call, assets, ended.signal)
    return 0
  })
}

interface ConsoleCall extends Call {
  readonly port: number
  readonly by: string
}

/** @returns null if only help is asked for. @throws UsageError */
function toCall(argv: readonly string[]): ConsoleCall | null {
  const { values, positionals } = readArguments({ args: [...argv], options, allowPositionals: true })
  if (values.help) return null
  if (positionals.length > 0) throw new UsageError(`The console takes no ${positionals[0]}.`)
  const { port = '0', by = loginName(), ...given } = values
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new UsageError('--port takes a port, from 1 to 65535.')
  const flags = Object.entries(given).flatMap(([name, value]) => [`--${name}`, String(value)])
  const call = toEvent(['inspect', ...flags], { service: serviceOfFolder() })
  return call && { ...call, port: Number(port), by }
}

/** @param read throws if the system has no entry for the user, as in a container @throws UsageError */
export function loginName(read: () => { readonly username: string } = userInfo): string {
  try {
    return read().username
  } catch {
    throw new UsageError(
      'The system has no name for your login: say who acts with --by NAME, for the ledger.',
    )
  }
}

async function serve(call: ConsoleCall, assets: Assets, ended: AbortSignal): Promise<void> {
  const recovery = await deployedRecovery(call)
  const stage = new Stage(
    {
      title: [call.functionName.replace('-recovery', ''), call.region].filter(Boolean).join(', '),
      recovery,
      deployment: call.deployment,
      by: call.by,
      now: Date.now,
    },
    { onSeen: () => server.push() },
  )
  const plans = new Plans(stage)
  const parts = {
    assets,
    view: (after: number) => stage.view(after),
    search: (search: Search) => stage.search(search),
    letters: () => plans.letters(),
    advise: () => plans.advise(),
    plan: plans.plan.bind(plans),
    apply: (token: string) => plans.apply(token),
    fault: null,
  }
  const server = await listen(() => servePage(parts, call.port), call.port)
  console.log(printableLines(`The page of ${call.functionName} is ${server.address}\nCtrl-C ends it.`))
  try {
    while (!ended.aborted) {
      await stage.refresh(server.readers)
      await sleep(250, undefined, { signal: ended }).catch(() => {})
    }
  } finally {
    await server.stop()
  }
}

async function listen(start: () => Promise<PageServer>, port: number): Promise<PageServer> {
  try {
    return await start()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error
    throw new UsageError(
      `The page cannot be served on port ${port} of 127.0.0.1 (${code}). Choose another --port.`,
    )
  }
}
