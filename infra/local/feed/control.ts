import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import * as z from 'zod'
import { type FeedForm, feedForms } from './feed-reader.ts'
import type { FaultyLine } from './read-feed.ts'

/** What became of the changes that were sent. Without faults, all of them are in the stream. */
export interface FeedAnswer {
  readonly sent: number
  /** The offset of the first one; null if there is none. */
  readonly offset: string | null
  /** Tables that no file of functions/tables handles. */
  readonly unhandled: readonly string[]
  readonly faults: readonly FaultyLine[]
}

/** Takes changes, all or none. */
export type Feeder = (text: string, form: FeedForm) => Promise<FeedAnswer>

const addressSchema = z.object({ url: z.url(), token: z.string() })
export type Address = z.infer<typeof addressSchema>

/** Beside serverless.yml; .gitignore names it. */
const addressFile = '.local-stack.json'
const mostBytes = 256 * 1024 * 1024

/** @returns null if no local stack has been started in the folder, or if it has ended */
export function readAddress(folder: string): Address | null {
  try {
    return addressSchema.parse(JSON.parse(readFileSync(join(folder, addressFile), 'utf8')))
  } catch {
    return null
  }
}

/**
 * Lets `npm run feed` reach this local stack. Only processes that can read the folder's files learn the token.
 * @returns a function that ends it
 */
export async function serveFeed(folder: string, feed: Feeder): Promise<() => Promise<void>> {
  const token = randomBytes(16).toString('hex')
  const server = createServer((request, response) => {
    answer(request, response, token, feed).catch((error: unknown) => {
      response.writeHead(500).end(JSON.stringify({ message: String(error) }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = server.address()
  if (own === null || typeof own === 'string') throw new Error('The feed has no TCP address.')
  const address: Address = { url: `http://127.0.0.1:${own.port}/feed`, token }
  const path = join(folder, addressFile)
  rmSync(path, { force: true })
  writeFileSync(path, JSON.stringify(address), { mode: 0o600 })
  return async () => {
    // A second local stack of the folder may have put its own address there.
    if (readAddress(folder)?.token === token) rmSync(path, { force: true })
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  token: string,
  feed: Feeder,
): Promise<void> {
  if (request.headers.authorization !== `Bearer ${token}`) {
    response.writeHead(403).end()
    return
  }
  const given = new URL(request.url ?? '', 'http://127.0.0.1').searchParams.get('form') ?? 'jsonl'
  const form = feedForms.find((one) => one === given)
  if (form === undefined) {
    response.writeHead(400, { connection: 'close' }).end()
    return
  }
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length
    if (size > mostBytes) {
      response.writeHead(413, { connection: 'close' }).end()
      return
    }
    parts.push(part)
  }
  response.end(JSON.stringify(await feed(Buffer.concat(parts).toString('utf8'), form)))
}
