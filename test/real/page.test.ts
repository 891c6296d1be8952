import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Browser, startBrowser } from '../rig/browser.ts'
import { copyService } from '../support/service-copy.ts'

/** With this folder, the screenshots become those of the documentation. */
const folder = process.env.SCREENSHOT_FOLDER
const mostBytes = 150_000
const enter = '\uE007'
const escapeKey = '\uE00C'

/** `npm start` in a copy of the service. */
async function startLocalStack() {
  const service = copyService()
  const live = spawn(process.execPath, [join(service.folder, 'infra/local/start.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(live, 'exit')
  let output = ''
  live.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  return {
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

async function takeScreenshot(browser: Browser, name: string): Promise<void> {
  await browser.run('scrollTo(0, 0)')
  const png = await browser.screenshot()
  assert.ok(png.length < mostBytes, `${name} has ${png.length} bytes`)
  if (folder !== undefined) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `${name}.png`), png)
  }
}

describe('the page of the local stack, in Chromium', () => {
  let stack: Awaited<ReturnType<typeof startLocalStack>>
  let browser: Browser
  let address: string
  before(async () => {
    stack = await startLocalStack()
    browser = await startBrowser()
    address = await stack.address()
    await browser.setSize(1000, 680)
    await browser.setScheme('light')
    await browser.open(address)
  })
  after(async () => {
    await browser?.stop()
    await stack?.stop()
  })

  test('a person sees changes arrive, causes a cluster change, applies the plan that ends the halt, and finds a row', async () => {
    const changes = await browser.text('#changes', /delivered \d/)
    const [, table, id] = /^(shop\.\w+)\nid=(\d+)\noffset \d+, [\d:]+\ndelivered/m.exec(changes) ?? []
    assert.ok(table !== undefined && id !== undefined, changes)
    assert.match(
      await browser.text('#tables', /shop\.orders\s+[1-9]/),
      /shop\.payments\s+skipped: no handler/,
    )
    assert.match(await browser.text('#log', /checkpoint is at offset/), /holds \d+ records/)
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
