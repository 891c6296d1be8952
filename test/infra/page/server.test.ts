import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type OutgoingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { PageView, Sample } from '../../../infra/page/messages.ts'
import { type PageParts, type PageServer, servePage } from '../../../infra/page/server.ts'

const done: string[] = []
let samples: readonly Sample[] = []

const view = (after: number): PageView => ({
  title: 'a test',
  now: 0,
  fault: null,
  tables: [],
  log: null,
  waitingLetters: null,
  hasFaults: true,
  checkpoint: null,
  changes: [],
  samples: samples.filter(({ number }) => number > after),
  notes: [],
  troubles: [],
  events: [],
})

/** Writes down every write. */
const parts: PageParts = {
  assets: async (path) => (path === '' ? { type: 'text/html', body: '<p>page</p>' } : null),
  view,
  search: async () => ({ changes: [], searched: null, isPartial: false, older: null, notes: [] }),
  letters: async () => ({ letters: [], waiting: 0 }),
  advise: async () => ({ text: 'advice', steps: [] }),
  plan: async () => null,
  apply: async (token) => {
    done.push(`apply ${token}`)
    return { text: 'applied', steps: [] }
  },
  fault: async (name) => {
    done.push(`fault ${name}`)
    return 'done'
  },
}

interface Sent {
  readonly method?: string
  readonly path: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string
}

describe('the server of the page', () => {
  let server: PageServer
  let port: number
  let token: string
  before(async () => {
    server = await servePage(parts, 0)
    const address = new URL(server.address)
    port = Number(address.port)
    token = address.pathname.slice(1, -1)
  })
  after(() => server.stop())
  beforeEach(() => {
    done.length = 0
    samples = []
  })

  async function send({ method = 'GET', path, headers = {}, body }: Sent) {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false })
    sent.end(body)
    const [response] = await once(sent, 'response')
    let text = ''
    for await (const part of response.setEncoding('utf8')) text += part
    return { status: response.statusCode, headers: response.headers, text }
  }

  const ownHeaders = () => ({ Origin: `http://127.0.0.1:${port}`, 'Content-Type': 'application/json' })
  /** A request that the page itself could send, with changes. */
  const write = (changes: Partial<Sent> = {}, headers: OutgoingHttpHeaders = {}): Sent => ({
    method: 'POST',
    path: `/${token}/fault`,
    body: '{"fault":"cluster"}',
    ...changes,
    headers: { ...ownHeaders(), ...headers },
  })

  test('does what the page asks for', async () => {
    assert.equal((await send(write())).status, 200)
    const applied = await send(write({ path: `/${token}/apply`, body: '{"token":"t"}' }))
    assert.deepEqual([applied.status, JSON.parse(applied.text)], [200, { text: 'applied', steps: [] }])
    assert.deepEqual(done, ['fault cluster', 'apply t'])
  })

  const wrong: [reason: string, change: () => Sent, status: number][] = [
    ['an address without a token', () => write({ path: '/fault' }), 403],
    ['another token', () => write({ path: `/${'A'.repeat(24)}/fault` }), 403],
    ['the token as a query', () => write({ path: `/fault?token=${token}` }), 403],
    ['a name that resolves to this machine', () => write({}, { Host: `evil.example:${port}` }), 403],
    ['the Host of another port', () => write({}, { Host: '127.0.0.1:1' }), 403],
    ['the Origin of another site', () => write({}, { Origin: 'http://evil.example' }), 403],
    ['the Origin of another port of this machine', () => write({}, { Origin: 'http://127.0.0.1:1' }), 403],
    ['an opaque Origin', () => write({}, { Origin: 'null' }), 403],
    ['no Origin', () => ({ ...write(), headers: { 'Content-Type': 'application/json' } }), 403],
    ['a browser that says cross-site', () => write({}, { 'Sec-Fetch-Site': 'cross-site' }), 403],
    ['a browser that says same-site', () => write({}, { 'Sec-Fetch-Site': 'same-site' }), 403],
    ['a browser in which a person opened the address', () => write({}, { 'Sec-Fetch-Site': 'none' }), 403],
    ['a form of a browser', () => write({}, { 'Content-Type': 'text/plain' }), 415],
    ['another method', () => write({ method: 'PUT' }), 405],
    ['an unknown fault', () => write({ body: '{"fault":"disk"}' }), 400],
    ['a member too many', () => write({ body: '{"fault":"cluster","again":true}' }), 400],
    ['no JSON', () => write({ body: 'fault=cluster' }), 400],
    ['a long body', () => write({ body: `{"fault":"cluster"${' '.repeat(20_000)}}` }), 400],
  ]
  for (const [reason, change, status] of wrong) {
    test(`refuses a write with ${reason}, and does nothing`, async () => {
      assert.equal((await send(change())).status, status)
      assert.deepEqual(done, [])
    })
  }

  test('refuses to be read without the token, from another site, and under another name', async () => {
    const read = (path: string, headers: OutgoingHttpHeaders = {}) => send({ path, headers })
    const page = `/${token}/`
    assert.equal((await read(page)).status, 200)
    assert.equal((await read(page, { 'Sec-Fetch-Site': 'none' })).status, 200)
    for (const path of ['/', '/events', `/${token}`, `/${token.slice(1)}/`])
      assert.equal((await read(path)).status, 403, path)
    const foreign = [
      { Host: 'evil.example' },
      { Origin: 'http://evil.example' },
      { 'Sec-Fetch-Site': 'cross-site' },
    ]
    for (const headers of foreign) {
      for (const path of [page, `${page}events`, `${page}search?key=1`])
        assert.equal((await read(path, headers)).status, 403, `${path} ${JSON.stringify(headers)}`)
    }
  })

  test('lets no page load scripts, frames or addresses from elsewhere', async () => {
    const { headers } = await send({ path: `/${token}/` })
    const policy = String(headers['content-security-policy'])
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';/)
    assert.match(policy, /frame-ancestors 'none'/)
    assert.doesNotMatch(policy, /unsafe/)
    assert.equal(headers['referrer-policy'], 'no-referrer')
  })

  test('serves no file that does not belong to the page', async () => {
    for (const path of ['server.ts', '../server.ts', '%2e%2e/server.ts', 'index.html'])
      assert.notEqual((await send({ path: `/${token}/${path}` })).status, 200, path)
  })

  test('sends a reader each sample once, and answers a ninth reader with the reason', async (t) => {
    samples = [1, 2].map((number) => ({ number, at: 0, lag: null, handled: {} }))
    const controller = new AbortController()
    t.after(() => controller.abort())
    const open = () => fetch(`${server.address}events`, { signal: controller.signal })
    const first = await open()
    const reader = first.body?.pipeThrough(new TextDecoderStream()).getReader()
    const next = async () => {
      const { value = '' } = (await reader?.read()) ?? {}
      const received: PageView = JSON.parse(value.replace(/^data: /, ''))
      return received.samples.map(({ number }) => number)
    }
    assert.deepEqual(await next(), [1, 2])
    samples = [...samples, { number: 3, at: 0, lag: null, handled: {} }]
    server.push()
    assert.deepEqual(await next(), [3])
    const others = await Promise.all(Array.from({ length: 8 }, open))
    assert.deepEqual(others.map(({ status }) => status).sort(), [200, 200, 200, 200, 200, 200, 200, 503])
  })

  test('collects no views for a reader that takes none', async (t) => {
    const big = 'x'.repeat(1 << 20)
    let asked = 0
    const own = await servePage(
      {
        ...parts,
        view: (after) => {
          asked += 1
          return { ...view(after), events: [big] }
        },
      },
      0,
    )
    t.after(() => own.stop())
    const { port: ownPort, pathname } = new URL(own.address)
    const socket = connect(Number(ownPort), '127.0.0.1')
    t.after(() => socket.destroy())
    socket.pause()
    socket.write(`GET ${pathname}events HTTP/1.1\r\nHost: 127.0.0.1:${ownPort}\r\n\r\n`)
    // A second request on another connection is answered after the first one has been taken.
    await fetch(own.address)
    for (let second = 0; second < 100; second++) own.push()
    assert.ok(asked < 5, `${asked} views were made for a reader that reads nothing`)
    assert.ok(asked > 0)
  })
})
