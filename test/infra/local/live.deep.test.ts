import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DStore } from '../../../infra/local/dstore/dstore.ts'
import { runFeed } from '../../../infra/local/feed/run-feed.ts'
import { Shop } from '../../../infra/local/shop.ts'
import { copyService, type ServiceCopy } from '../../support/service-copy.ts'
import type { Lifetime } from '../../support/world.ts'

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

/** The preparation takes a minute on a busy machine. */
const busyMachine = { timeout: 180_000 }

/** Before the tests of a suite, starts a copy of the service and waits for its first view. */
function liveCopy(prepare: (service: ServiceCopy) => void = () => {}, parameters: readonly string[] = []) {
  const service = copyService()
  let live: ReturnType<typeof startLive> | undefined
  before(async () => {
    prepare(service)
    live = startLive(service.folder, parameters)
    await live.view(() => true)
  }, busyMachine)
  // Stop first: a folder cannot be removed during a build in it.
  after(async () => {
    await live?.stop()
    service.remove()
  }, busyMachine)
  return { live: () => live ?? assert.fail('It has not started.'), service }
}

/** A stream with a minute of the shop, and the flags that choose it. */
async function startSource(t: Lifetime) {
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

describe("a copy with the handler of the README's example", () => {
  const { file, text } = readmeExample()
  const { live } = liveCopy(({ folder }) => writeFileSync(join(folder, file), text))

  test('shows its line in the live view', async () => {
    await live().view((view) => handled(view, 'shop.payments') > 0)
    assert.doesNotMatch(live().output, /HALTED/)
  })
})

describe('a copy with a handler in a folder, and with a recorded stretch in a folder', () => {
  const { text } = readmeExample()
  const recordings = mkdtempSync(join(tmpdir(), 'dts-functions-feed-'))
  before(async () => {
    const ends: (() => Promise<unknown>)[] = []
    const { source, flags } = await startSource({ after: (end) => ends.push(end) })
    const chosen = ['--table', 'shop.payments', '--limit', '2', '--format', 'json']
    const record = ['run', '--silent', 'tail', '--', ...flags, ...chosen]
    const { stdout: recorded } = await promisify(execFile)('npm', record)
    assert.equal(recorded.trimEnd().split('\n').length, 2)
    assert.equal(source.counters.commits, 0)
    writeFileSync(join(recordings, 'payments.jsonl'), recorded)
    for (const end of ends) await end()
  }, busyMachine)
  const prepare = ({ folder }: ServiceCopy) => {
    mkdirSync(join(folder, 'functions/tables/billing'))
    writeFileSync(join(folder, 'functions/tables/billing/payments.ts'), text)
  }
  const { live, service } = liveCopy(prepare, ['--feed', recordings])
  after(() => rmSync(recordings, { recursive: true }))

  test('runs it under its deployed name, with the stretch and with a script of npm run feed', async () => {
    await live().view((view) => /^shop\.payments /m.test(view))
    const script = join(recordings, 'more.sql')
    writeFileSync(script, "INSERT INTO shop.payments (id, status, amount) VALUES (3, 'open', 1.00)")
    assert.equal(await runFeed(['--file', script], service.folder, () => {}), 0)
    await live().view((view) => handled(view, 'shop.payments') === 3)
    assert.doesNotMatch(live().output, /HALTED/)
  })
})

describe('a copy without changes', () => {
  const { live, service } = liveCopy()

  describe('after serverless package in its folder', () => {
    let printed = 0
    before(async () => {
      await live().view((view) => handled(view, 'shop.orders') > 0)
      printed = live().output.length
      const { code, output } = await service.serverless(['package'], {})
      assert.equal(code, 0, output)
    }, busyMachine)

    test('continues with the stream', async () => {
      // The next two views after the package.
      let last = 0
      for (let views = 0; views < 2; views++) {
        await live().view((view) => {
          const isMore = handled(view, 'shop.orders') > last
          last = Math.max(last, handled(view, 'shop.orders'))
          return isMore
        })
      }
      assert.doesNotMatch(live().output.slice(printed), /HALTED|failed/)
    })
  })

  test('has a changed handler at work within two views, because its rebuild does not end the run of the poller', async () => {
    await live().view((view) => handled(view, 'shop.orders') > 0)
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
      for (let n = 0; n < 2; n++) await live().view((view) => handled(view, 'shop.orders') > 0)
    }
    await Promise.race([isAtWork, views()])
    watcher.close()
    assert.ok(existsSync(marker), live().output)
    assert.doesNotMatch(live().output, /HALTED/)
  })
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

describe('a copy with a named source', () => {
  const prepare = ({ folder, configure }: ServiceCopy) => {
    // Nothing answers there: a poller that read the source's own task would never handle a change.
    const crm = { address: '127.0.0.1:9', topic: 'crm', sid: 'dtscrm', user: 'reader', secret: 'none' }
    configure('  tables: {}', `  tables: {}\n  sources: ${JSON.stringify({ crm })}`)
    const { text } = readmeExample()
    mkdirSync(join(folder, 'functions/tables/crm'))
    writeFileSync(join(folder, 'functions/tables/crm/payments.ts'), text)
  }
  const { live } = liveCopy(prepare, ['--source', 'crm'])

  test('runs its handlers on the local stream and with a poller of their own', async () => {
    await live().view((view) => handled(view, 'shop.payments') > 0 && /^shop\.orders .*skipped/m.test(view))
    assert.match(live().output, /^Not run: the handlers of the stream without a name \(npm start\)$/m)
    assert.doesNotMatch(live().output, /HALTED|failed/)
  })
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
