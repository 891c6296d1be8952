import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DStore } from '../../../infra/local/dstore/dstore.ts'
import { runFeed } from '../../../infra/local/feed/run-feed.ts'
import { Shop } from '../../../infra/local/shop.ts'
import { copyService, type ServiceCopy } from '../../support/service-copy.ts'

/** The handler in README's "Write a handler", and its file name. */
function readmeExample(): { file: string; text: string } {
  const section = readFileSync(fileURLToPath(new URL('../../../README.md', import.meta.url)), 'utf8')
    .split(/^## /m)
    .find((part) => part.startsWith('Write a handler'))
  const file = /`(functions\/tables\/\w+\.ts)`/.exec(section ?? '')?.[1] ?? ''
  const text = /^```ts\n(.*?)^```/ms.exec(section ?? '')?.[1] ?? ''
  return { file, text }
}

/** The live view of a copy of the service, in the form that it prints without a terminal. */
function startLive(folder: string, parameters: readonly string[]) {
  const live = spawn(process.execPath, [join(folder, 'infra/local/start.ts'), ...parameters], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(live, 'exit')
  let output = ''
  live.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  return {
    /** Its output so far. */
    get output() {
      return output
    },
    /** Waits for a later view that fulfils the condition. */
    async view(isEnough: (view: string) => boolean): Promise<void> {
      const begun = output.length
      const views = () =>
        output
          .slice(begun)
          .split(/^dts-functions, locally/m)
          .slice(1)
      while (!views().some(isEnough)) {
        if (views().length > mostViews || live.exitCode !== null) assert.fail(output)
        await Promise.race([once(live.stdout, 'data'), exited])
      }
    },
    async stop(): Promise<void> {
      live.kill('SIGTERM')
      await exited
    },
  }
}

function startCopy(
  t: TestContext,
  prepare: (service: ServiceCopy) => void = () => {},
  parameters: readonly string[] = [],
) {
  const service = copyService()
  prepare(service)
  const live = startLive(service.folder, parameters)
  // Stop first: a folder cannot be removed during a build in it.
  t.after(async () => {
    await live.stop()
    service.remove()
  })
  return { live, service }
}

/** A stream with a minute of the shop, and the flags that choose it. */
async function startSource(t: TestContext) {
  const source = new DStore()
  const { host, port } = await source.start()
  t.after(() => source.stop())
  const shop = new Shop()
  const begun = Math.floor(Date.now() / 1000) - 60
  await source.append(Array.from({ length: 60 }, (_, at) => shop.transaction(begun + at)).flat())
  const address = ['--broker-url', `${host}:${port}`, '--topic', source.topic, '--sid', source.sid ?? '']
  return { source, flags: [...address, '--user', source.user, '--password', source.password] }
}

/** A view is printed every ten seconds. */
const mostViews = 12

/** The number of a table's handled changes in a view. */
function handled(view: string, table: string): number {
  return Number(new RegExp(`^${table} +(\\d+)`, 'm').exec(view)?.[1] ?? 0)
}

test("the handler of the README's example gets its line in the live view", async (t) => {
  const { file, text } = readmeExample()
  const { live } = startCopy(t, ({ folder }) => writeFileSync(join(folder, file), text))
  await live.view((view) => handled(view, 'shop.payments') > 0)
  assert.doesNotMatch(live.output, /HALTED/)
})

test('a handler in a folder runs locally under its deployed name, with a recorded stretch in a folder and a script of npm run feed', async (t) => {
  const { text } = readmeExample()
  const { source, flags } = await startSource(t)
  const changes = join(mkdtempSync(join(tmpdir(), 'dts-functions-feed-')), 'payments.jsonl')
  t.after(() => rmSync(dirname(changes), { recursive: true }))
  const record = [
    'run',
    '--silent',
    'tail',
    '--',
    ...flags,
    '--table',
    'shop.payments',
    '--limit',
    '2',
    '--format',
    'json',
  ]
  const { stdout: recorded } = await promisify(execFile)('npm', record)
  assert.equal(recorded.trimEnd().split('\n').length, 2)
  assert.equal(source.counters.commits, 0)
  writeFileSync(changes, recorded)
  const prepare = ({ folder }: ServiceCopy) => {
    mkdirSync(join(folder, 'functions/tables/billing'))
    writeFileSync(join(folder, 'functions/tables/billing/payments.ts'), text)
  }
  const { live, service } = startCopy(t, prepare, ['--feed', dirname(changes)])
  await live.view((view) => view.includes('shop.payments'))
  const script = join(dirname(changes), 'more.sql')
  writeFileSync(script, "INSERT INTO shop.payments (id, status, amount) VALUES (3, 'open', 1.00)")
  assert.equal(await runFeed(['--file', script], service.folder, () => {}), 0)
  await live.view((view) => handled(view, 'shop.payments') === 3)
  assert.doesNotMatch(live.output, /HALTED/)
})

test('serverless package in the same folder does not disturb the live stream', async (t) => {
  const { live, service } = startCopy(t)
  await live.view((view) => handled(view, 'shop.orders') > 0)
  const before = live.output.length
  const { code, output } = await service.serverless(['package'], {})
  assert.equal(code, 0, output)
  // The next two views after the package.
  let last = 0
  for (let views = 0; views < 2; views++) {
    await live.view((view) => {
      const isMore = handled(view, 'shop.orders') > last
      last = Math.max(last, handled(view, 'shop.orders'))
      return isMore
    })
  }
  assert.doesNotMatch(live.output.slice(before), /HALTED|failed/)
})

test('what a handler throws at a change of a real stream is on the screen, and the end of the host ends the command', async (t) => {
  const service = copyService()
  t.after(() => service.remove())
  writeFileSync(
    join(service.folder, 'functions/tables/payments.ts'),
    `import { defineTable } from 'dts-functions'
import * as z from 'zod'
let attempts = 0
export const handler = defineTable({
  table: 'shop.payments',
  row: z.object({ id: z.bigint() }),
  onInsert() {
    void Promise.reject(new Error('not awaited'))
  },
  onUpdate() {
    attempts += 1
    if (attempts > 1) process.kill(process.pid, 'SIGKILL')
    throw new TypeError('no such customer')
  },
})
`,
  )
  const { source, flags } = await startSource(t)
  const start = promisify(execFile)(process.execPath, [
    join(service.folder, 'infra/local/start.ts'),
    ...['--dts', '--from', 'earliest', ...flags],
  ])
  const { code, stdout, stderr } = await start.then(
    () => assert.fail('it ended without an error'),
    (error) => error,
  )
  assert.match(
    stdout,
    /payments: no code caught Error: not awaited \(at functions\/tables\/payments\.ts:8:\d+\)/,
  )
  assert.match(
    stdout,
    /payments failed at functions\/tables\/payments\.ts:13:\d+ \(UPDATE of shop\.payments id=\d+ at offset \d+, attempt 1\): TypeError: no such customer/,
  )
  assert.equal(source.counters.commits, 0)
  assert.equal(code, 1)
  assert.match(
    stderr,
    /^serverless-offline, which hosts the functions, ended by SIGKILL\. No function runs any more\./,
  )
})

test('a changed handler is at work within two views, because its rebuild does not end the run of the poller', async (t) => {
  const { live, service } = startCopy(t)
  await live.view((view) => handled(view, 'shop.orders') > 0)
  const folder = mkdtempSync(join(service.folder, 'marks-'))
  const marker = join(folder, 'marker')
  const file = join(service.folder, 'functions/tables/orders.ts')
  const noting = `async onChange(change) {\n    appendFileSync(${JSON.stringify(marker)}, '.')`
  const changed = readFileSync(file, 'utf8').replace('async onChange(change) {', noting)
  const watcher = watch(folder)
  const isAtWork = once(watcher, 'change')
  writeFileSync(file, `import { appendFileSync } from 'node:fs'\n${changed}`)
  // A stream that waits for the lease of a run that died would take ten views.
  const views = async () => {
    for (let n = 0; n < 2; n++) await live.view((view) => handled(view, 'shop.orders') > 0)
  }
  await Promise.race([isAtWork, views()])
  watcher.close()
  assert.ok(existsSync(marker), live.output)
  assert.doesNotMatch(live.output, /HALTED/)
})

test('the handlers of a named source run locally, on the local stream and with a poller of their own', async (t) => {
  const prepare = ({ folder, configure }: ServiceCopy) => {
    // Nothing answers there: a poller that read the source's own task would never handle a change.
    const crm = { address: '127.0.0.1:9', topic: 'crm', sid: 'dtscrm', user: 'reader', secret: 'none' }
    configure('  tables: {}', `  tables: {}\n  sources: ${JSON.stringify({ crm })}`)
    const { text } = readmeExample()
    mkdirSync(join(folder, 'functions/tables/crm'))
    writeFileSync(join(folder, 'functions/tables/crm/payments.ts'), text)
  }
  const { live } = startCopy(t, prepare, ['--source', 'crm'])
  await live.view((view) => handled(view, 'shop.payments') > 0 && /^shop\.orders .*skipped/m.test(view))
  assert.match(live.output, /^Not run: the handlers of the stream without a name \(npm start\)$/m)
  assert.doesNotMatch(live.output, /HALTED|failed/)
})

test('two files for one table are refused with one message, and no stack trace', async (t) => {
  const service = copyService()
  t.after(() => service.remove())
  const { text } = readmeExample()
  writeFileSync(
    join(service.folder, 'functions/tables/twice.ts'),
    text.replace('shop.payments', 'shop.orders'),
  )
  const start = promisify(execFile)(process.execPath, [join(service.folder, 'infra/local/start.ts')])
  await assert.rejects(start, {
    code: 1,
    stderr:
      /^CONFIG_INVALID: functions\/tables\/orders\.ts and functions\/tables\/twice\.ts both handle the table .*\n$/,
  })
})
