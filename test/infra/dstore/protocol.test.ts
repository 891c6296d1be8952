import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type DStore, kafka011Ceilings } from '../../../infra/local/dstore/dstore.ts'
import { crc32C } from '../../../infra/local/dstore/kafkajs.ts'
import { RequestReader, ResponseWriter, toFrame } from '../../../infra/local/dstore/wire.ts'
import { numbered, RawClient, startDStore, until } from '../../support/dstore-clients.ts'

const api = {
  fetch: 1,
  listOffsets: 2,
  metadata: 3,
  saslHandshake: 17,
  apiVersions: 18,
  saslAuthenticate: 36,
}

/** The answer's body, after the correlation id. */
function bodyOf(answer: Buffer | undefined): RequestReader {
  assert.ok(answer)
  const body = new RequestReader(answer)
  assert.equal(body.readInt32(), 7)
  return body
}

async function logIn(client: RawClient, store: DStore): Promise<void> {
  const handshake = await client.ask(api.saslHandshake, 1, new ResponseWriter().writeString('PLAIN').buffer)
  assert.equal(bodyOf(handshake).readInt16(), 0)
  const token = Buffer.from(`\0${store.userName}\0${store.password}`)
  const login = await client.ask(api.saslAuthenticate, 1, new ResponseWriter().writeBytes(token).buffer)
  assert.equal(bodyOf(login).readInt16(), 0)
}

interface FetchRequest {
  readonly offset: bigint
  readonly maxBytes?: number
  readonly maxWaitMs?: number
}

async function fetch(
  client: RawClient,
  store: DStore,
  { offset, maxBytes = 1e6, maxWaitMs = 0 }: FetchRequest,
) {
  const request = new ResponseWriter().writeInt32(-1).writeInt32(maxWaitMs).writeInt32(1).writeInt32(maxBytes)
  request.writeInt8(1).writeInt32(0).writeInt32(-1)
  request.writeInt32(1).writeString(store.topic)
  request.writeInt32(1).writeInt32(0).writeInt32(-1).writeInt64(offset).writeInt64(-1n).writeInt32(maxBytes)
  request.writeInt32(0).writeString('')
  const body = bodyOf(await client.ask(api.fetch, 11, request.buffer))
  assert.deepEqual([body.readInt32(), body.readInt16(), body.readInt32()], [0, 0, 0])
  assert.deepEqual([body.readInt32(), body.readString(), body.readInt32()], [1, store.topic, 1])
  assert.equal(body.readInt32(), 0)
  const error = body.readInt16()
  const [highWatermark, lastStable, logStart] = [body.readInt64(), body.readInt64(), body.readInt64()]
  assert.equal(lastStable, highWatermark)
  assert.deepEqual([body.readInt32(), body.readInt32()], [0, -1])
  const records = body.readBytes() ?? Buffer.alloc(0)
  assert.equal(body.offset, body.buffer.length)
  return { error, highWatermark, logStart, records }
}

/** Base offset and total length of every batch. The last one may be longer than the bytes. */
function batchesIn(records: Buffer) {
  const batches = []
  for (let at = 0; at < records.length; ) {
    const length = 12 + records.readInt32BE(at + 8)
    const bytes = records.subarray(at, at + length)
    const whole = bytes.length === length
    if (whole) assert.equal(crc32C(bytes.subarray(21)), bytes.readUInt32BE(17))
    batches.push({ baseOffset: records.readBigInt64BE(at), length, whole })
    at += length
  }
  return batches
}

async function findByTime(client: RawClient, store: DStore, timestamp: bigint): Promise<bigint> {
  const request = new ResponseWriter().writeInt32(-1).writeInt32(1).writeString(store.topic)
  request.writeInt32(1).writeInt32(0).writeInt64(timestamp)
  const body = bodyOf(await client.ask(api.listOffsets, 1, request.buffer))
  assert.deepEqual([body.readInt32(), body.readString(), body.readInt32()], [1, store.topic, 1])
  assert.deepEqual([body.readInt32(), body.readInt16()], [0, 0])
  body.readInt64()
  return body.readInt64()
}

describe('versions', () => {
  for (const [age, options, apiVersionsMax] of [
    ['2.x', {}, 2],
    ['0.11', { versionCeilings: kafka011Ceilings }, 1],
  ] as const) {
    test(`ApiVersions 3 is answered in the form of version 0 with error 35 (${age})`, async (t) => {
      const { address } = await startDStore(t, options)
      const client = await RawClient.connect(t, address)
      const body = bodyOf(await client.ask(api.apiVersions, 3, Buffer.from([0, 2, 0x61, 2, 0x31, 0])))
      assert.equal(body.readInt16(), 35)
      const ranges = body.readEach(() => [body.readInt16(), body.readInt16(), body.readInt16()])
      assert.equal(body.offset, body.buffer.length)
      assert.deepEqual(
        ranges.find(([key]) => key === api.apiVersions),
        [api.apiVersions, 0, apiVersionsMax],
      )

      const again = bodyOf(await client.ask(api.apiVersions, 0))
      assert.equal(again.readInt16(), 0)
    })
  }

  test('a request of a version that is not served closes the connection', async (t) => {
    const { store, address } = await startDStore(t)
    const client = await RawClient.connect(t, address)
    await logIn(client, store)
    assert.equal(await client.ask(api.fetch, 12), undefined)
    assert.equal(store.counters.badFrames, 1)
  })
})

describe('authentication', () => {
  const wrong = (store: DStore) => [
    [`${store.userName}`, 'wrong'],
    [store.user, store.password],
    [`${store.user}-other`, store.password],
  ]

  test('wrong password, no sid, another sid: error 58, then the connection is closed', async (t) => {
    const { store, address } = await startDStore(t)
    for (const [user, password] of wrong(store)) {
      const client = await RawClient.connect(t, address)
      await client.ask(api.saslHandshake, 1, new ResponseWriter().writeString('PLAIN').buffer)
      const token = Buffer.from(`\0${user}\0${password}`)
      const body = bodyOf(
        await client.ask(api.saslAuthenticate, 0, new ResponseWriter().writeBytes(token).buffer),
      )
      assert.equal(body.readInt16(), 58)
      assert.match(body.readText(), /user, sid or password/)
      assert.equal(await client.read(), undefined)
    }
    assert.equal(store.counters.credentialsRefused, 3)
  })

  test('refused credentials are accepted again afterwards; open connections stay', async (t) => {
    const { store, address } = await startDStore(t)
    const open = await RawClient.connect(t, address)
    await logIn(open, store)
    store.refuseCredentials(true)
    await assert.rejects(logIn(await RawClient.connect(t, address), store))
    assert.equal(store.counters.credentialsRefused, 1)
    assert.equal(await findByTime(open, store, -2n), 0n)
    store.refuseCredentials(false)
    await logIn(await RawClient.connect(t, address), store)
  })

  test('no API is served before it, and another mechanism is refused with error 33', async (t) => {
    const { store, address } = await startDStore(t)
    const eager = await RawClient.connect(t, address)
    assert.equal(await eager.ask(api.metadata, 1, new ResponseWriter().writeInt32(-1).buffer), undefined)
    assert.equal(store.counters.badFrames, 1)
    const client = await RawClient.connect(t, address)
    const scram = new ResponseWriter().writeString('SCRAM-SHA-256').buffer
    assert.equal(bodyOf(await client.ask(api.saslHandshake, 1, scram)).readInt16(), 33)
  })
})

describe('bad frames', () => {
  const int32 = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    return bytes
  }
  const header = Buffer.from([0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff])
  const cases: [string, Buffer][] = [
    ['a negative length', int32(-1)],
    ['a length above 100 MiB', int32(100 * 1024 * 1024 + 1)],
    ['a frame too short for a header', toFrame(Buffer.from([0, 3]))],
    ['an unknown API', toFrame(Buffer.from([3, 3, 0, 0, 0, 0, 0, 7, 0xff, 0xff]))],
    ['an array that claims more items than bytes', toFrame(Buffer.concat([header, int32(1_000_000_000)]))],
    ['a string longer than the frame', toFrame(Buffer.concat([header, int32(1), Buffer.from([9, 9])]))],
  ]
  for (const [what, bytes] of cases) {
    test(`${what} closes the connection, and only that one`, async (t) => {
      const { store, address } = await startDStore(t)
      const other = await RawClient.connect(t, address)
      await logIn(other, store)
      const client = await RawClient.connect(t, address)
      await logIn(client, store)
      client.socket.write(bytes)
      assert.equal(await client.read(), undefined)
      assert.equal(store.counters.badFrames, 1)
      assert.equal(await findByTime(other, store, -1n), 0n)
      await until(() => store.connections === 1)
    })
  }
})

describe('ListOffsets', () => {
  test('takes seconds; a time outside the data range finds nothing', async (t) => {
    const { store, address } = await startDStore(t, { firstOffset: 50n })
    await store.append([1000.5, 1002, 1001, 1005].map((timestamp) => ({ value: Buffer.alloc(9), timestamp })))
    const client = await RawClient.connect(t, address)
    await logIn(client, store)
    const expected: [bigint, bigint][] = [
      [-2n, 50n],
      [-1n, 54n],
      [999n, -1n],
      [1000n, 50n],
      [1001n, 51n],
      [1003n, 53n],
      [1005n, 53n],
      [1006n, -1n],
      [1_001_000n, -1n],
    ]
    for (const [timestamp, offset] of expected) {
      assert.equal(await findByTime(client, store, timestamp), offset, `time ${timestamp}`)
    }
  })
})

describe('Fetch', () => {
  test('sends the whole batch that holds the offset, even above the byte limit', async (t) => {
    const { store, address } = await startDStore(t)
    await store.append(numbered(1000))
    const client = await RawClient.connect(t, address)
    await logIn(client, store)
    const { error, highWatermark, records } = await fetch(client, store, { offset: 700n, maxBytes: 1 })
    assert.equal(error, 0)
    assert.equal(highWatermark, 1000n)
    assert.deepEqual(
      batchesIn(records).map(({ baseOffset, whole }) => [baseOffset, whole]),
      [[500n, true]],
    )
    assert.equal(store.counters.truncatedFetches, 0)
  })

  for (const truncateBatches of [true, false]) {
    test(`${truncateBatches ? 'cuts' : 'does not cut'} the last batch at the byte limit`, async (t) => {
      const { store, address } = await startDStore(t, { truncateBatches })
      await store.append(numbered(1500))
      const client = await RawClient.connect(t, address)
      await logIn(client, store)
      const [first] = batchesIn((await fetch(client, store, { offset: 0n, maxBytes: 1 })).records)
      assert.ok(first)
      const maxBytes = first.length + 100
      const { records } = await fetch(client, store, { offset: 0n, maxBytes })
      assert.equal(records.length, truncateBatches ? maxBytes : first.length)
      assert.deepEqual(
        batchesIn(records).map(({ baseOffset, whole }) => [baseOffset, whole]),
        truncateBatches
          ? [
              [0n, true],
              [500n, false],
            ]
          : [[0n, true]],
      )
      assert.equal(store.counters.truncatedFetches, truncateBatches ? 1 : 0)
    })
  }

  test('below and above the data range: error 1 with the log start offset; at the end: nothing', async (t) => {
    const { store, address } = await startDStore(t, { firstOffset: 10n })
    await store.append(numbered(20))
    store.trim({ beforeOffset: 15n })
    const client = await RawClient.connect(t, address)
    await logIn(client, store)
    for (const offset of [14n, 31n, 0n, -1n]) {
      const { error, logStart, records } = await fetch(client, store, { offset })
      assert.deepEqual([error, logStart, records.length], [1, 15n, 0])
    }
    assert.equal(store.counters.outOfRange, 4)
    assert.deepEqual(await fetch(client, store, { offset: 30n }), {
      error: 0,
      highWatermark: 30n,
      logStart: 15n,
      records: Buffer.alloc(0),
    })
    assert.equal(store.counters.emptyFetches, 1)
  })

  test('a waiting fetch is answered by the next append', async (t) => {
    const { store, address } = await startDStore(t)
    const client = await RawClient.connect(t, address)
    await logIn(client, store)
    const waiting = fetch(client, store, { offset: 0n, maxWaitMs: 60_000 })
    await until(() => store.requests.Fetch === 1)
    await store.append(numbered(1))
    assert.equal(batchesIn((await waiting).records).length, 1)
    assert.equal(store.counters.emptyFetches, 0)
  })
})
