import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../infra/local/ports.ts'
import { type RigProcess, scratchDirectory, startProcess, whenReady } from './process.ts'
import { findCommand } from './tools.ts'

/** How WebDriver names an element in its answers. */
const elementName = 'element-6066-11e4-a52e-4f735466cecf'
const patience = 30_000

/** A page of Chromium, driven by the WebDriver protocol of the W3C. */
export interface Browser {
  open(address: string): Promise<void>
  /** Runs a function body in the page. */
  run(script: string, ...values: unknown[]): Promise<unknown>
  /** Waits until the text of the element matches. @returns the text */
  text(selector: string, expected: RegExp): Promise<string>
  /** Clicks the first element of the selector whose text matches, as soon as there is one that is enabled. */
  click(selector: string, text?: RegExp): Promise<void>
  /** Types into the element. */
  type(selector: string, keys: string): Promise<void>
  /** Types into the element that has the focus. */
  press(keys: string): Promise<void>
  setScheme(scheme: 'light' | 'dark'): Promise<void>
  setSize(width: number, height: number): Promise<void>
  /** A PNG of the window. */
  screenshot(): Promise<Buffer>
  stop(): Promise<void>
}

const flags = [
  '--headless=new',
  // Tests run as root in containers, where Chromium has no sandbox.
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--no-default-browser-check',
  '--hide-scrollbars',
  // Nothing but the page is reachable.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
]

/** Starts Chromium. */
export async function startBrowser(): Promise<Browser> {
  const command = findCommand('chromedriver')
  if (command === undefined)
    throw new Error('chromedriver is not on this machine. On Debian: apt-get install -y chromium-driver')
  const port = await freePort()
  const scratch = scratchDirectory('chromedriver')
  const driver = startProcess({
    name: 'chromedriver',
    command,
    args: [`--port=${port}`],
    // Chromium writes its profile, caches and crash reports below these.
    env: { HOME: scratch, TMPDIR: scratch },
    scratch,
  })
  const base = `http://127.0.0.1:${port}`
  await whenReady('chromedriver', driver, async () => {
    if (!(await fetch(`${base}/status`)).ok) throw new Error('not ready')
  })
  try {
    const options = {
      args: [...flags, `--user-data-dir=${join(scratch, 'profile')}`],
      binary: findCommand('chromium'),
    }
    const capabilities = { alwaysMatch: { browserName: 'chrome', 'goog:chromeOptions': options } }
    const { sessionId } = (await call(`${base}/session`, 'POST', { capabilities })) as { sessionId: string }
    return new Driven(`${base}/session/${sessionId}`, driver)
  } catch (error) {
    await driver.stop()
    throw error
  }
}

async function call(url: string, method: 'GET' | 'POST' | 'DELETE', body?: object): Promise<unknown> {
  const response = await fetch(url, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const { value } = (await response.json()) as { value: { error?: string; message?: string } | null }
  if (!response.ok) throw new Error(`WebDriver: ${value?.error}: ${value?.message?.split('\n')[0]}`)
  return value
}

class Driven implements Browser {
  readonly #session: string
  readonly #driver: RigProcess

  constructor(session: string, driver: RigProcess) {
    this.#session = session
    this.#driver = driver
  }

  async open(url: string): Promise<void> {
    await this.#post('url', { url })
  }

  run(script: string, ...args: unknown[]): Promise<unknown> {
    return this.#post('execute/sync', { script, args })
  }

  async text(selector: string, expected: RegExp): Promise<string> {
    const read = 'return document.querySelector(arguments[0])?.innerText ?? null'
    return this.#until(`${selector} with ${expected}`, async () => {
      const text = await this.run(read, selector)
      return typeof text === 'string' && expected.test(text) ? text : null
    })
  }

  async click(selector: string, text = /(?:)/): Promise<void> {
    const find =
      'return [...document.querySelectorAll(arguments[0])].find((e) => !e.disabled && new RegExp(arguments[1]).test(e.innerText)) ?? null'
    await this.#until(`an enabled ${selector} with ${text}`, async () => {
      const element = await this.run(find, selector, text.source)
      if (element === null) return null
      // A view that arrives in between can replace the element, or move it.
      return this.#post(`element/${idOf(element)}/click`, {}).then(
        () => true,
        () => null,
      )
    })
  }

  async type(selector: string, text: string): Promise<void> {
    const element = await this.#post('element', { using: 'css selector', value: selector })
    await this.#post(`element/${idOf(element)}/value`, { text })
  }

  async press(keys: string): Promise<void> {
    const actions = [...keys].flatMap((value) => [
      { type: 'keyDown', value },
      { type: 'keyUp', value },
    ])
    await this.#post('actions', { actions: [{ type: 'key', id: 'keyboard', actions }] })
  }

  async setScheme(value: 'light' | 'dark'): Promise<void> {
    const features = [
      { name: 'prefers-color-scheme', value },
      // So that a screenshot shows no animation halfway.
      { name: 'prefers-reduced-motion', value: 'reduce' },
    ]
    await this.#post('goog/cdp/execute', { cmd: 'Emulation.setEmulatedMedia', params: { features } })
  }

  async setSize(width: number, height: number): Promise<void> {
    const params = { width, height, deviceScaleFactor: 1, mobile: false }
    await this.#post('goog/cdp/execute', { cmd: 'Emulation.setDeviceMetricsOverride', params })
  }

  async screenshot(): Promise<Buffer> {
    return Buffer.from(String(await call(`${this.#session}/screenshot`, 'GET')), 'base64')
  }

  async stop(): Promise<void> {
    await call(this.#session, 'DELETE').catch(() => {})
    await this.#driver.stop()
  }

  #post(command: string, body: object): Promise<unknown> {
    return call(`${this.#session}/${command}`, 'POST', body)
  }

  async #until<Result>(what: string, probe: () => Promise<Result | null>): Promise<Result> {
    const deadline = performance.now() + patience
    while (performance.now() < deadline) {
      this.#driver.assertRunning()
      const result = await probe()
      if (result !== null) return result
      await sleep(100)
    }
    throw new Error(
      `The page did not show ${what}. It shows:\n${String(await this.run('return document.body.innerText')).slice(0, 2_000)}`,
    )
  }
}

function idOf(element: unknown): string {
  return String(Reflect.get(Object(element), elementName))
}
