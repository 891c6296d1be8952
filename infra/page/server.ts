import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import * as z from 'zod'
import type { Assets } from './assets.ts'
import { judge } from './guard.ts'
import {
  type FaultName,
  type Found,
  faultNames,
  type Letters,
  type PageView,
  type Planned,
  type PlanRequest,
  type Told,
} from './messages.ts'

export interface Search {
  /** Null: every table. */
  readonly table: string | null
  /** `7`, `id=7`, or several such parts separated by spaces. */
  readonly key: string
  /** Only changes below this offset; null: from the end of the log. */
  readonly before: string | null
}

/** What the server answers from, and what it lets a person do. */
export interface PageParts {
  readonly assets: Assets
  /** @param after the number of the last sample that the reader has */
  readonly view: (after: number) => PageView
  /** Null: the page has no search. */
  readonly search: ((search: Search) => Promise<Found>) | null
  /** Changes nothing. */
  readonly letters: () => Promise<Letters | { readonly refused: Told }>
  /** Changes nothing. */
  readonly advise: () => Promise<Told>
  /** Changes nothing. Null: no such step was offered. */
  readonly plan: (request: PlanRequest) => Promise<Planned | null>
  /** Null: no such plan. */
  readonly apply: (token: string) => Promise<Told | null>
  /** Null: the page causes no faults. */
  readonly fault: ((name: FaultName) => Promise<string>) | null
}

export interface PageServer {
  /** With the token that every request needs. */
  readonly address: string
  /** How many pages are open. */
  readonly readers: number
  /** Sends the present view to every reader. A reader that is slow misses views. */
  push(): void
  stop(): Promise<void>
}

const mostReaders = 8
const mostBody = 16_384

const headers = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-store',
}

/**
 * Serves the page on 127.0.0.1.
 * @param port 0: a free one
 * @throws an error with the code EADDRINUSE if another program listens on the port
 */
export async function servePage(parts: PageParts, port: number): Promise<PageServer> {
  const token = randomBytes(18).toString('base64url')
  /** With the number of the last sample that each has got. */
  const readers = new Map<ServerResponse, number>()
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: Error) => {
      if (response.headersSent) response.destroy()
      else send(response, 500, { error: error.message })
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('The page has no TCP address.')

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '' } = request
    const judged = judge({ method, url, headers: request.headers }, bound.port, token)
    if (judged.refused !== null) {
      const { status, reason } = judged.refused
      // The rest of a refused body is not read.
      response.setHeader('Connection', 'close')
      send(response, status, { error: reason })
    } else if (method === 'POST') {
      const { status, body } = await act(judged.path, await readBody(request), parts)
      send(response, status, body)
    } else if (judged.path === 'events') {
      listen(response)
    } else if (judged.path === 'search' && parts.search !== null) {
      send(response, 200, await parts.search(searchOf(judged.query)))
    } else {
      const asset = await parts.assets(judged.path)
      if (asset === null) send(response, 404, { error: 'The page has no such file.' })
      else response.writeHead(200, { ...headers, 'Content-Type': asset.type }).end(asset.body)
    }
  }

  const listen = (response: ServerResponse): void => {
    if (readers.size >= mostReaders) {
      send(response, 503, { error: `The page is open ${mostReaders} times already. Close one.` })
      return
    }
    response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream' })
    readers.set(response, 0)
    response.once('close', () => readers.delete(response))
    tell(response)
  }

  const tell = (response: ServerResponse): void => {
    // Otherwise, the views that a slow reader has not taken yet would collect in memory.
    if (response.writableNeedDrain) return
    const after = readers.get(response) ?? 0
    const view = parts.view(after)
    readers.set(response, view.samples.at(-1)?.number ?? after)
    response.write(`data: ${JSON.stringify(view)}\n\n`)
  }

  return {
    address: `http://127.0.0.1:${bound.port}/${token}/`,
    get readers() {
      return readers.size
    },
    push() {
      for (const reader of readers.keys()) tell(reader)
    },
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function searchOf(query: URLSearchParams): Search {
  return { table: query.get('table'), key: query.get('key') ?? '', before: query.get('before') }
}

const planBody = z.strictObject({ step: z.string(), message: z.string().optional() })
const applyBody = z.strictObject({ token: z.string() })
const faultBody = z.strictObject({ fault: z.enum(faultNames) })

interface Outcome {
  readonly status: number
  readonly body: object
}

/** Everything that a POST does. Only `apply` and `fault` change anything. */
async function act(path: string, body: unknown, parts: PageParts): Promise<Outcome> {
  if (path === 'advise') return { status: 200, body: await parts.advise() }
  if (path === 'letters') return { status: 200, body: await parts.letters() }
  if (path === 'plan') {
    const parsed = planBody.safeParse(body)
    if (!parsed.success) return invalid
    return orGone(await parts.plan(parsed.data), 'No such step was offered. Ask for advice again.')
  }
  if (path === 'apply') {
    const parsed = applyBody.safeParse(body)
    if (!parsed.success) return invalid
    const gone = 'There is no plan with this token, or it was applied already. Nothing was done. Plan again.'
    return orGone(await parts.apply(parsed.data.token), gone)
  }
  if (path === 'fault' && parts.fault !== null) {
    const parsed = faultBody.safeParse(body)
    if (!parsed.success) return invalid
    return { status: 200, body: { text: await parts.fault(parsed.data.fault) } }
  }
  return { status: 404, body: { error: 'The page has no such action.' } }
}

const invalid: Outcome = {
  status: 400,
  body: { error: 'The body is not one of this action. Nothing was done.' },
}

function orGone(body: object | null, error: string): Outcome {
  return body === null ? { status: 409, body: { error } } : { status: 200, body }
}

/** Undefined: it is no JSON, or too long. */
async function readBody(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request) {
    size += part.length
    if (size > mostBody) return undefined
    parts.push(part)
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'))
  } catch {
    return undefined
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { ...headers, 'Content-Type': 'application/json; charset=utf-8' })
    .end(JSON.stringify(body))
}
