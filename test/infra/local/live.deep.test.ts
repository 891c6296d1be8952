import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { copyService, type ServiceCopy } from '../../support/service-copy.ts'

/** The handler of README's "Write a handler", and the file that it is to be. */
function readmeExample(): { file: string; text: string } {
  const section = readFileSync(fileURLToPath(new URL('../../../README.md', import.meta.url)), 'utf8')
    .split(/^## /m)
    .find((part) => part.startsWith('Write a handler'))
  const file = /as `(functions\/tables\/\w+\.ts)`/.exec(section ?? '')?.[1] ?? ''
  const text = /^```ts\n(.*?)^```/ms.exec(section ?? '')?.[1] ?? ''
  return { file, text }
}

/** The live view of a copy of the service, as it prints itself where there is no terminal. */
function startLive(folder: string) {
  const live = spawn(process.execPath, [join(folder, 'infra/local/start.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(live, 'exit')
  let output = ''
  live.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  return {
    /** Everything that it printed so far. */
    get output() {
      return output
    },
    /** Waits for views that are printed from now on, until one is as it should be. */
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

function startCopy(t: TestContext, prepare: (service: ServiceCopy) => void = () => {}) {
  const service = copyService()
  prepare(service)
  const live = startLive(service.folder)
  // In this order: a folder in which something still builds cannot be removed.
  t.after(async () => {
    await live.stop()
    service.remove()
  })
  return { live, service }
}

/** One is printed every ten seconds. */
const mostViews = 12

/** How many changes of a table a view has as handled. */
function handled(view: string, table: string): number {
  return Number(new RegExp(`^${table} +(\\d+)`, 'm').exec(view)?.[1] ?? 0)
}

test("the README's example, followed, has its line in the live view", async (t) => {
  const { file, text } = readmeExample()
  const { live } = startCopy(t, ({ folder }) => writeFileSync(join(folder, file), text))
  await live.view((view) => handled(view, 'shop.payments') > 0)
  assert.doesNotMatch(live.output, /HALTED/)
})

test('a handler in a folder of its own runs locally as it is deployed', async (t) => {
  const text = readmeExample().text.replaceAll("'../../lib/", "'../../../lib/")
  const { live } = startCopy(t, ({ folder }) => {
    mkdirSync(join(folder, 'functions/tables/billing'))
    writeFileSync(join(folder, 'functions/tables/billing/payments.ts'), text)
  })
  await live.view((view) => handled(view, 'shop.payments') > 0)
  assert.doesNotMatch(live.output, /HALTED/)
})

test('a package made beside it in the same folder leaves the live stream alone', async (t) => {
  const { live, service } = startCopy(t)
  await live.view((view) => handled(view, 'shop.orders') > 0)
  const before = live.output.length
  const { code, output } = await service.serverless(['package'], {})
  assert.equal(code, 0, output)
  // A view that is printed after the package, and the one after it.
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
