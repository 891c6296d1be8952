import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** What a request says about itself. */
export interface Asked {
  readonly method: string
  /** The path with its query, as in the request line. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

export type Judged =
  | { readonly refused: { readonly status: number; readonly reason: string } }
  /** `path` is the part after the token, without a leading slash. */
  | { readonly refused: null; readonly path: string; readonly query: URLSearchParams }

const readMethods = new Set(['GET', 'HEAD'])

/**
 * Decides whether a request comes from the page. Other sites and other programs of this machine can reach the port, too:
 * a site through the person's browser, also under a name of its own that resolves to 127.0.0.1.
 */
export function judge({ method, url, headers }: Asked, port: number, token: string): Judged {
  const { host, origin } = headers
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`]
  if (host === undefined || !hosts.includes(host)) return refuse(403, 'The Host is not this page.')
  const isRead = readMethods.has(method)
  if (!isRead && method !== 'POST') return refuse(405, 'The page has no such method.')
  if (origin === undefined ? !isRead : origin !== `http://${host}`)
    return refuse(403, 'The request comes from another site.')
  const site = headers['sec-fetch-site']
  // A person who opens the address causes "none".
  if (site !== undefined && site !== 'same-origin' && !(isRead && site === 'none'))
    return refuse(403, 'The request comes from another site.')
  const { pathname, searchParams } = new URL(url, `http://${host}`)
  const [, given = '', ...rest] = pathname.split('/')
  if (!isEqual(given, token) || rest.length === 0)
    return refuse(403, 'The address has no valid token. Open the address that was printed last.')
  if (!isRead && headers['content-type'] !== 'application/json')
    return refuse(415, 'The body must be application/json.')
  return { refused: null, path: rest.join('/'), query: searchParams }
}

function refuse(status: number, reason: string): Judged {
  return { refused: { status, reason } }
}

/** In the same time for every wrong token of the right length. */
function isEqual(given: string, token: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(token)]
  return one.length === other.length && timingSafeEqual(one, other)
}
