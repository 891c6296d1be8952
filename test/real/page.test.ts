import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startDynalite } from '../../infra/local/dynalite.ts'
import { runFeed } from '../../infra/local/feed/run-feed.ts'
import { startQueues } from '../../infra/local/queue.ts'
import { type Browser, startBrowser } from '../rig/browser.ts'
import { startDStoreSource } from '../support/dstore-source.ts'
import { alive, now, range, Writer } from '../support/records.ts'
import { copyService } from '../support/service-copy.ts'
import { startRig } from '../support/world.ts'

/** With this folder, the screenshots become those of the documentation. */
const folder = process.env.SCREENSHOT_FOLDER
const mostBytes = 150_000
const enter = '\uE007'
const escapeKey = '\uE00C'

/** A handler that fails while a file exists. Its first failure makes a dead letter. */
const refunds = (broken: string) => `import { existsSync } from 'node:fs'
import { defineTable } from 'dts-functions'
import * as z from 'zod'
export const handler = defineTable({
  table: 'shop.refunds',
  row: z.object({ id: z.number(), status: z.string() }),
  attempts: 1,
  onChange() {
    if (existsSync(${JSON.stringify(broken)})) throw new Error('The bank does not answer')
  },
})
`

/** `npm start` in a copy of the service. */
async function startLocalStack() {
  const service = copyService()
  const broken = join(service.folder, 'refunds-are-broken')
  writeFileSync(broken, '')
  writeFileSync(join(service.folder, 'functions/tables/refunds.ts'), refunds(broken))
  const live = spawn(process.execPath, [join(service.folder, 'infra/local/start.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(live, 'exit')
  let output = ''
  live.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  return {
    /** Sends a new row of shop.refunds. */
    async refund(id: number): Promise<void> {
      const row = JSON.stringify({ id, status: 'open' })
      assert.equal(await runFeed(['shop.refunds', row], service.folder, () => {}), 0)
    },
    repair: () => rmSync(broken),
    /** The address of the page. */
    async address(): Promise<string> {
      for (;;) {
        const [, address] = /^The page is (\S+)$/m.exec(output) ?? []
        if (address !== undefined) return address
        if (live.exitCode !== null) assert.fail(output)
        await Promise.race([once(live.stdout, 'data'), exited])
      }
    },
    async stop(): Promise<void> {
      live.kill('SIGTERM')
      await exited
      service.remove()
    },
  }
}

async function takeScreenshot(browser: Browser, name: string, fromTop = true): Promise<void> {
  if (fromTop) await browser.run('scrollTo(0, 0)')
  const png = await browser.screenshot()
  assert.ok(png.length < mostBytes, `${name} has ${png.length} bytes`)
  if (folder !== undefined) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `${name}.png`), png)
  }
}

let browser: Browser
before(async () => {
  browser = await startBrowser()
  await browser.setSize(1000, 680)
})
after(() => browser?.stop())

describe('the page of the local stack, in Chromium', () => {
  let stack: Awaited<ReturnType<typeof startLocalStack>>
  let address: string
  before(async () => {
    stack = await startLocalStack()
    address = await stack.address()
    await browser.setScheme('light')
    await browser.open(address)
  })
  after(() => stack?.stop())

  test('a person sees changes arrive, causes a cluster change, applies the plan that ends the halt, and finds a row', async () => {
    const changes = await browser.text('#changes', /delivered \d/)
    const [, table, id] = /^(shop\.\w+)\nid=(\d+)\noffset \d+, [\d:]+\ndelivered/m.exec(changes) ?? []
    assert.ok(table !== undefined && id !== undefined, changes)
    await browser.text('#tables', /shop\.orders\s+[1-9]/)
    await browser.text('#tables', /shop\.payments\s+skipped: no handler/)
    const log = await browser.text('#log', /checkpoint is at offset/)
    assert.match(log, /holds \d+ records/)
    assert.match(log, /The first record is \d+ (?:s|min) older than the checkpoint/)
    await browser.text('#rate-plot', /shop\.orders/)
    const background = 'return getComputedStyle(document.body).backgroundColor'
    const lightBackground = await browser.run(background)

    await browser.click('button', /Switch the cluster/)
    await browser.text('#halt', /Cluster changed from \S+ to \S+, consumer require restart/)
    assert.match(await browser.text('#advice', /reset/), /loses and repeats nothing/)
    await browser.text('#log', /it means nothing in this log/)

    await browser.click('#halt button', /Plan: move the checkpoint/)
    assert.match(await browser.text('#plan', /Apply/), /lost\s+no change/)
    await browser.setScheme('dark')
    await takeScreenshot(browser, 'page-plan-dark')
    assert.notEqual(await browser.run(background), lightBackground)

    // A plan that was dismissed is not applied.
    await browser.press(escapeKey)
    await browser.text('#state', /HALTED/)
    await browser.click('#halt button', /Plan: move the checkpoint/)
    await browser.text('#plan', /Apply/)
    await browser.press(enter)
    await browser.text('#state', /RUNNING/)
    await browser.text('#message', /The stream continues right after it/)
    await browser.text('#log', /checkpoint is at offset/)
    await browser.text('#changes', /delivered \d/)

    await browser.setScheme('light')
    await takeScreenshot(browser, 'page-light')

    await browser.press('/')
    await browser.press(`id=${id}${enter}`)
    const found = await browser.text('#found', /of id=/)
    // The change has another offset now than when it was delivered.
    assert.match(
      found,
      new RegExp(`${table.replace('.', '\\.')}\\nid=${id}\\noffset \\d+, [\\d:]+\\ndelivered at offset \\d+`),
    )
    await browser.press(escapeKey)
    await browser.press(`id=1${enter}`)
    await browser.text('#found', /Not seen\. No change of id=1 is in the log \(offsets \d+ to \d+\)/)

    await stack.refund(7)
    await stack.refund(8)
    const letters = await browser.text('#letters', /2 dead letters wait\./)
    assert.match(letters, /INSERT\s+shop\.refunds\s+offset \d+/)
    assert.match(letters, /status\s+'open'/)
    assert.match(
      letters,
      /refunds, 1 attempt: Error: The bank does not answer at functions\/tables\/refunds\.ts:\d+:\d+/,
    )
    await browser.run("document.getElementById('letters').scrollIntoView({ block: 'center' })")
    await takeScreenshot(browser, 'page-letters', false)
    await browser.text('#changes', /dead letter\s+id\s+8/)
    await browser.click('#letters li:first-child button', /Discard/)
    assert.match(await browser.text('#plan', /never delivered/), /HANDLER_FAILED/)
    await browser.press(enter)
    await browser.text('#message', /is discarded/)
    await browser.text('#letters', /1 dead letter waits\./)
    stack.repair()
    await browser.click('#letters button', /Plan a redrive/)
    await browser.text('#plan', /deletes each that is acknowledged/)
    await browser.press(enter)
    await browser.text('#message', /1 redriven, 0 left in the queue/)
    await browser.text('#letters', /No dead letter waits/)
    await browser.text('#tables', /shop\.refunds\s+1/)

    const loaded = await browser.run(
      "return performance.getEntriesByType('resource').map(({ name }) => name)",
    )
    assert.ok(Array.isArray(loaded) && loaded.length > 0)
    assert.deepEqual(
      loaded.filter((url) => !String(url).startsWith(address)),
      [],
    )
  })
})

/** Poller, recovery and functions of a stage, halted by a cluster change, with two dead letters. */
async function startStage(t: TestContext) {
  const queues = await startQueues()
  const rig = await startRig({
    name: '',
    startDynamo: startDynalite,
    startSource: startDStoreSource,
    stop: queues.stop,
  })
  t.after(() => rig.stop())
  const world = await rig.start(t)
  const begun = now() - 7_200
  const writer = new Writer()
  const rows = range(0, 119).map((id) => writer.insert('shop.orders', id, begun + 60 * id))
  const routes = { 'shop.orders': { function: 'orders', attempts: 1 } }
  const environment = {
    ROUTES: JSON.stringify(routes),
    DTS_CHECKPOINT: String(begun),
    DEAD_LETTER_QUEUE_URL: queues.url('letters.fifo'),
    AWS_ENDPOINT_URL_SQS: queues.endpoint,
  }
  const broken = new Set([20, 30])
  world.onChange = ({ what }) => {
    if (broken.has(Number(what))) throw new Error('The warehouse does not answer')
  }
  const other = range(0, 5).map((second) => writer.mark('HEARTBEAT', begun - 600 + second))
  await world.source.append(rows)
  await world.pollToEnd({ environment })
  await world.source.switchCluster([
    ...other,
    ...rows,
    writer.insert('shop.orders', 120, now() - 20),
    alive(),
  ])
  await assert.rejects(world.poll({ environment }), { code: 'CLUSTER_CHANGED' })
  world.lambda.host('shop-prod-recovery', (event) => world.recover(event, environment))
  return { world, repair: () => broken.clear(), poll: () => world.pollToEnd({ environment }) }
}

/** `npm run console` as an operator of the stage starts it. @returns the address of the page */
async function startConsole(t: TestContext, endpoint: string): Promise<string> {
  const program = fileURLToPath(new URL('../../infra/operate/console/main.ts', import.meta.url))
  const parameters = ['--stage', 'prod', '--service', 'shop', '--region', 'eu-central-1', '--by', 'Ada']
  const { PATH, HOME } = process.env
  const env = {
    PATH,
    HOME,
    AWS_ACCESS_KEY_ID: 'operator',
    AWS_SECRET_ACCESS_KEY: 'operator',
    AWS_ENDPOINT_URL_LAMBDA: endpoint,
  }
  const child = spawn(process.execPath, [program, ...parameters], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGTERM')
    assert.deepEqual(await exited, [0, null])
  })
  let output = ''
  for await (const text of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    output += text
    const [, address] = /^The page of shop-prod-recovery is (\S+)$/m.exec(output) ?? []
    if (address !== undefined) return address
  }
  return assert.fail(output)
}

/** As if the person switched to another tab, and back. */
async function see(browser: Browser, state: 'hidden' | 'visible'): Promise<void> {
  await browser.run(
    `Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))`,
  )
}

test('an operator sees on the console why a deployed stream is halted, applies the plan, and settles the dead letters', async (t) => {
  const { world, repair, poll } = await startStage(t)
  const address = await startConsole(t, world.lambda.endpoint)
  await browser.setScheme('dark')
  await browser.open(address)
  await browser.text('header', /shop-prod, eu-central-1\s+HALTED/)
  await browser.text('#halt', /Cluster changed from \S+ to \S+, consumer require restart/)
  await browser.text('#advice', /a reset loses and repeats nothing/)
  await browser.text('#log', /it means nothing in this log/)
  await browser.text('#time-to-loss', /Time to loss: at least 2 h 8 min\./)
  await browser.text('#letters', /shop\.orders[\s\S]*status\s+'new'[\s\S]*orders, 1 attempt: HANDLER_FAILED/)
  const shown = String(await browser.run('return document.body.innerText'))
  assert.doesNotMatch(shown, /Switch the cluster|Cut connections/)
  // The checkpoint is of another cluster, so nothing is known of most changes.
  await browser.text('#changes', /INSERT\s+shop\.orders\s+id=120[\s\S]*unknown/)
  await browser.text('#tables', /shop\.orders\s+–\s+–/)
  await takeScreenshot(browser, 'console-dark')

  await browser.click('#halt button', /Plan: move the checkpoint/)
  assert.match(await browser.text('#plan', /Apply/), /lost\s+no change/)
  await browser.press(enter)
  await browser.text('#state', /RUNNING/)
  await browser.text('#log', /checkpoint is at offset \d+: 2 records after it/)
  await browser.text('#events', /by Ada/)

  await browser.text('#changes', /id=120\noffset \d+, [^\n]*\nwaiting/)
  await browser.text('#tables', /shop\.orders\s+0\s+\S+\s+1\s+INSERT/)
  await browser.press('/')
  await browser.press(`id=20${enter}`)
  const found = await browser.text('#found', /1 change of id=20 at offset/)
  assert.match(found, /id=20\noffset \d+, [^\n]*\ndead letter[\s\S]*status\s+'new'/)
  await browser.press(escapeKey)
  await browser.press(`id=21${enter}`)
  // The other cluster delivered it, which the offsets of this one do not show.
  await browser.text('#found', /id=21\noffset \d+, [^\n]*\npassed/)
  await browser.run("document.getElementById('tables').closest('section').scrollIntoView()")
  await takeScreenshot(browser, 'console-changes-dark', false)
  await browser.run("document.querySelector('input[name=key]').blur()")

  // A hidden page follows nothing, and shows the present when it is seen again.
  await see(browser, 'hidden')
  await browser.text('header', /not connected/)
  await see(browser, 'visible')
  await browser.text('header', /generation\s+\d+\s*$/)

  await browser.click('#letters li:first-child button', /Discard/)
  await browser.text('#plan', /never delivered/)
  await browser.press(enter)
  await browser.text('#message', /is discarded/)
  await browser.text('#letters', /1 dead letter waits/)
  repair()
  await browser.click('#letters button', /Plan a redrive/)
  await browser.text('#plan', /deletes each that is acknowledged/)
  await browser.press(enter)
  await browser.text('#message', /1 redriven, 0 left/)
  await browser.text('#letters', /No dead letter waits/)
  await poll()
  assert.deepEqual(world.ids('orders').slice(-2), [30, 120])
})
