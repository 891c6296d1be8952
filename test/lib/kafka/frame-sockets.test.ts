import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { FrameReader, frameSockets } from '../../../lib/kafka/frame-sockets.ts'
import { freeBytes } from '../../../lib/kafka/free-memory.ts'

const limit = 1_000

function frame(size: number, fill = 7): Buffer {
  const bytes = Buffer.alloc(4 + size, fill)
  bytes.writeInt32BE(size)
  return bytes
}

/** Feeds bytes in pieces of at most `step`, as a kernel does when few bytes have arrived. */
function feed(reader: FrameReader, bytes: Buffer, step: number): (Buffer | Error)[] {
  const out: (Buffer | Error)[] = []
  for (let at = 0; at < bytes.length; ) {
    const count = Math.min(step, reader.target.length, bytes.length - at)
    assert.ok(count > 0, 'there is room for more')
    bytes.copy(reader.target, 0, at, at + count)
    at += count
    const frame = reader.took(count)
    if (frame !== null) out.push(frame)
    if (frame instanceof Error) return out
  }
  return out
}

describe('the frames of a connection', () => {
  test('are complete, in whatever pieces their bytes arrive', () => {
    const frames = [frame(1, 1), frame(0), frame(300, 2), frame(0), frame(limit - 4, 3)]
    for (const step of [1, 3, 4, 5, 64, 10_000]) {
      assert.deepEqual(
        feed(new FrameReader({ maxBytes: limit }), Buffer.concat(frames), step),
        frames,
        `${step} bytes`,
      )
    }
  })

  test('do not share memory', () => {
    const [first, second] = feed(
      new FrameReader({ maxBytes: limit }),
      Buffer.concat([frame(5), frame(5)]),
      100,
    )
    assert.ok(first instanceof Buffer && second instanceof Buffer)
    assert.notEqual(first.buffer, second.buffer)
    assert.equal(first.buffer.byteLength, 9)
  })

  test('use the memory of earlier frames that were freed, if they are large', () => {
    const large = frame(2 * 2 ** 20)
    const reader = new FrameReader({ maxBytes: large.length })
    const takeOne = () => {
      const [taken] = feed(reader, large, large.length)
      assert.ok(taken instanceof Buffer)
      assert.ok(taken.equals(large))
      return taken
    }
    freeBytes(takeOne())
    const before = process.memoryUsage().arrayBuffers
    const second = takeOne()
    assert.equal(process.memoryUsage().arrayBuffers, before)
    freeBytes(second)
  })

  const lengths: [length: number, reason: string][] = [
    [limit - 3, 'a byte more than the limit'],
    [0x7fffffff, '2^31 - 1'],
    [-1, 'a negative length'],
    [Buffer.from('220 ').readInt32BE(), 'the greeting of a mail server'],
  ]
  for (const [length, reason] of lengths) {
    test(`an impossible length ends the connection: ${reason}`, () => {
      const head = Buffer.alloc(4)
      head.writeInt32BE(length)
      const [error] = feed(new FrameReader({ maxBytes: limit }), head, 4)
      assert.ok(error instanceof RangeError)
      assert.match(error.message, /bytes was announced; the limit is 1000/)
    })
  }
})

/** A self-signed certificate for 127.0.0.1 and its key. Neither is secret. */
const fixture = (name: string) => readFileSync(new URL(`../../fixtures/tls/${name}.pem`, import.meta.url))

const kinds: [kind: string, serve: () => Server, event: string, ssl: object | null][] = [
  ['a plain socket', () => createServer(), 'connection', null],
  [
    'a TLS socket',
    () => createTlsServer({ key: fixture('key'), cert: fixture('certificate') }),
    'secureConnection',
    { ca: fixture('certificate') },
  ],
]
for (const [kind, serve, event, ssl] of kinds) {
  describe(kind, () => {
    async function connected(t: TestContext) {
      const server = serve()
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      t.after(() => server.close())
      const { port } = server.address() as AddressInfo
      const accepted = once(server, event)
      const client = await new Promise<Socket>((resolve) => {
        const socket = frameSockets({ maxBytes: limit })({
          host: '127.0.0.1',
          port,
          ssl,
          onConnect: () => resolve(socket),
        })
      })
      t.after(() => client.destroy())
      const [peer] = (await accepted) as [Socket]
      peer.on('error', () => {})
      t.after(() => peer.destroy())
      return { client, peer }
    }

    test('emits one event for each frame, and one for the end', async (t) => {
      const { client, peer } = await connected(t)
      const seen: Buffer[] = []
      client.on('data', (bytes: Buffer) => seen.push(bytes))
      const ended = once(client, 'end')
      const frames = [frame(10, 1), frame(0), frame(900, 2)]
      peer.end(Buffer.concat(frames))
      await ended
      assert.deepEqual(seen, frames)
    })

    test('is destroyed by a frame above the limit, and reports the limit', async (t) => {
      const { client, peer } = await connected(t)
      client.on('data', () => assert.fail('no frame is complete'))
      const failed = once(client, 'error')
      peer.write(Buffer.from('220 mail.example.com ESMTP\r\n'))
      const [error] = (await failed) as [Error]
      assert.match(error.message, /was announced/)
      assert.ok(client.destroyed)
    })
  })
}
