import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { fetch } from '../../../infra/local/dstore/apis/fetch.ts'
import { listOffsets } from '../../../infra/local/dstore/apis/list-offsets.ts'
import { offsetCommit, offsetFetch } from '../../../infra/local/dstore/apis/offsets.ts'
import type { ResponseWriter } from '../../../infra/local/dstore/wire.ts'
import { encodeBatch } from '../../support/kafkajs-batches.ts'
import { open } from '../../support/open-stream.ts'
import { bounds, records } from './support.ts'

/** Answers that the emulator never gives, but that a broken, hostile or starting broker may give. */

const topic = 'cn_hangzhou_rm_emulated_shop_version2'
const text = (...values: string[]) => values.map((value) => Buffer.from(value))

interface Answer {
  readonly errorCode?: number
  readonly topic?: string
  readonly partition?: number
  readonly partitionErrorCode?: number
  readonly highWatermark?: bigint
  readonly records?: Buffer
}

/** A Fetch response of version 11; see fetch-response.ts for its grammar. */
function writeFetched(answer: ResponseWriter, given: Answer): void {
  answer
    .writeInt32(0)
    .writeInt16(given.errorCode ?? 0)
    .writeInt32(0)
  answer.writeEach([given], () => {
    answer.writeString(given.topic ?? topic)
    answer.writeEach([given], () => {
      const end = given.highWatermark ?? 100n
      answer.writeInt32(given.partition ?? 0).writeInt16(given.partitionErrorCode ?? 0)
      answer.writeInt64(end).writeInt64(end).writeInt64(0n)
      answer
        .writeInt32(0)
        .writeInt32(-1)
        .writeBytes(given.records ?? Buffer.alloc(0))
    })
  })
}

/** Answers every fetch with the next given answer. Returns the number of bytes that each fetch requested. */
function answerFetches(t: TestContext, answers: readonly Answer[]): number[] {
  const asked: number[] = []
  t.mock.method(fetch, 'handle', (...[{ version, body }, answer]: Parameters<typeof fetch.handle>) => {
    assert.equal(version, 11)
    body.readInt32()
    body.readInt32()
    body.readInt32()
    asked.push(body.readInt32())
    const next = answers[asked.length - 1]
    assert.ok(next !== undefined, 'more fetches than answers')
    writeFetched(answer, next)
    return undefined
  })
  return asked
}

const wrong: [what: string, answer: Answer, message: RegExp][] = [
  ['an error of the whole request', { errorCode: 70 }, /failed at fetch: error code 70/],
  [
    'an error of the whole request and one of the partition',
    { errorCode: 70, partitionErrorCode: 6 },
    /error code 70/,
  ],
  ['an error of the partition', { partitionErrorCode: 6 }, /failed at fetch: error code 6/],
  ['another partition', { partition: 1 }, /does not contain partition 0 of cn_hangzhou_rm/],
  ['another topic', { topic: 'other' }, /does not contain partition 0 of cn_hangzhou_rm/],
  ['no end of the log', { highWatermark: -1n }, /does not say where the log ends/],
]
for (const [what, answer, message] of wrong) {
  test(`a fetch that gets ${what} fails and yields nothing`, async (t) => {
    const { stream } = await open(t)
    const batch = await encodeBatch({ baseOffset: 0n, values: text('a') })
    answerFetches(t, [{ records: batch, ...answer }])
    await assert.rejects(stream.fetch(0n, bounds), { code: 'BROKER_FAILED', retryable: true, message })
  })
}

test('only the partition’s error code means that the offset is out of range', async (t) => {
  const { stream } = await open(t)
  answerFetches(t, [{ errorCode: 1 }, { partitionErrorCode: 1 }])
  await assert.rejects(stream.fetch(7n, bounds), { code: 'BROKER_FAILED', message: /error code 1/ })
  await assert.rejects(stream.fetch(7n, bounds), {
    code: 'DATA_GAP',
    retryable: false,
    message:
      /refused offset 7 as out of its data range\. Cluster .* has no records now; the next one gets offset 0\.$/,
    next: [{ action: 'inspect', purpose: 'see what can be read and what is lost' }],
    facts: { offset: '7', earliest: '0', end: '0', clusterId: stream.clusterId },
  })
})

test('a refused offset that is in the data range by now is named as such', async (t) => {
  const { stream, store } = await open(t, records(4))
  store.trim({ beforeOffset: 2n })
  answerFetches(
    t,
    [1, 2, 4, 5].map(() => ({ partitionErrorCode: 1 })),
  )
  for (const [offset, isInside] of [
    [1n, false],
    [2n, true],
    [4n, true],
    [5n, false],
  ] as const)
    await assert.rejects(stream.fetch(offset, bounds), {
      code: 'DATA_GAP',
      message: new RegExp(
        ` has offsets 2 to 3; the next record gets 4${isInside ? ', so that it would accept that offset now' : ''}\\.$`,
      ),
    })
})

test('a batch that claims to end above the end of the log is BATCH_CORRUPT; one that ends there is read', async (t) => {
  const { stream } = await open(t)
  const batch = await encodeBatch({ baseOffset: 5n, values: text('a', 'b') })
  answerFetches(t, [
    { records: batch, highWatermark: 6n },
    { records: batch, highWatermark: 7n },
    { highWatermark: 3n },
  ])
  await assert.rejects(stream.fetch(5n, bounds), {
    code: 'BATCH_CORRUPT',
    retryable: true,
    message:
      /batches at offset 5 claim to end at 7, above the end of the log, 6\. The poller fetches them again\. .* halts\.$/,
    facts: { offset: '5', end: '6' },
  })
  const { nextOffset, end } = await stream.fetch(5n, bounds)
  assert.deepEqual([nextOffset, end], [7n, 7n])
  const empty = await stream.fetch(5n, bounds)
  assert.deepEqual([empty.nextOffset, empty.end], [5n, 3n], 'an empty answer may be above the end of the log')
})

test('a batch above maxBytes is fetched once more, with its own size', async (t) => {
  const { stream } = await open(t)
  const batch = await encodeBatch({ baseOffset: 0n, values: text('a'.repeat(2000)) })
  const asked = answerFetches(t, [{ records: batch.subarray(0, 1000) }, { records: batch }])
  const { records: found } = await stream.fetch(0n, { maxBytes: 1000, maxWaitMs: 0 })
  assert.equal(found.length, 1)
  assert.deepEqual(asked, [1000, batch.length])
})

test('a batch that is cut off although it fits the answer is BATCH_CORRUPT, and not fetched again and again', async (t) => {
  const { stream } = await open(t)
  const batch = await encodeBatch({ baseOffset: 0n, values: text('a'.repeat(2000)) })
  const cut = { records: batch.subarray(0, 1000) }
  const asked = answerFetches(t, [cut, cut, cut])
  await assert.rejects(stream.fetch(0n, { maxBytes: 1000, maxWaitMs: 0 }), {
    code: 'BATCH_CORRUPT',
    retryable: true,
    message:
      /batch at offset 0 is cut off, although the answer had room for its \d+ bytes\. The poller fetches it again\. .* halts\.$/,
    facts: { offset: '0', neededBytes: batch.length },
  })
  assert.deepEqual(asked, [1000, batch.length])
})

describe('the end of the batch that was read last', () => {
  test('is a bound that the next batch must not cross', async (t) => {
    const { stream } = await open(t)
    const first = await encodeBatch({ baseOffset: 0n, values: text('a', 'b') })
    // Its producer gave it offset 0. In the log it begins at 2.
    const unplaced = await encodeBatch({ baseOffset: 0n, values: text('c', 'd', 'e', 'f') })
    const placed = await encodeBatch({ baseOffset: 2n, values: text('c', 'd', 'e', 'f') })
    answerFetches(t, [{ records: first }, { records: unplaced }, { records: placed }])
    assert.equal((await stream.fetch(0n, bounds)).nextOffset, 2n)
    await assert.rejects(stream.fetch(2n, bounds), { code: 'BATCH_CORRUPT', message: /starts below 2/ })
    assert.deepEqual(
      (await stream.fetch(2n, bounds)).records.map(({ offset }) => offset),
      [2n, 3n, 4n, 5n],
    )
  })

  test('does not affect a fetch from another offset', async (t) => {
    const { stream } = await open(t)
    const first = await encodeBatch({ baseOffset: 0n, values: text('a', 'b') })
    const second = await encodeBatch({ baseOffset: 2n, values: text('c', 'd') })
    answerFetches(t, [{ records: first }, { records: second }])
    await stream.fetch(0n, bounds)
    assert.equal((await stream.fetch(3n, bounds)).records.length, 1)
  })
})

test('an empty answer is no end of a batch', async (t) => {
  const { stream } = await open(t)
  const batch = await encodeBatch({ baseOffset: 0n, values: text('a', 'b', 'c') })
  answerFetches(t, [{}, { records: batch }])
  assert.equal((await stream.fetch(1n, bounds)).nextOffset, 1n)
  assert.equal((await stream.fetch(1n, bounds)).records.length, 2)
})

type Handler = typeof listOffsets.handle

/** Answers as the emulator does, but for another partition or topic. */
function answerForAnother(t: TestContext, api: { handle: Handler }, part: 'partition' | 'topic') {
  const handle = api.handle
  t.mock.method(api, 'handle', (...[request, answer, broker, session]: Parameters<Handler>) => {
    const writeInt32 = answer.writeInt32.bind(answer)
    const writeString = answer.writeString.bind(answer)
    let within = false
    answer.writeString = (value) => {
      if (value !== topic) return writeString(value)
      within = true
      return writeString(part === 'topic' ? 'other' : topic)
    }
    let items = 0
    answer.writeInt32 = (value) => {
      // The topic is followed by the count of partitions and the number of the first one.
      if (!within || ++items !== 2) return writeInt32(value)
      return writeInt32(part === 'partition' ? 7 : value)
    }
    return handle.call(api, request, answer, broker, session)
  })
}

const askers = [
  ['the data range', 'offset look-up', listOffsets, (stream) => stream.range()],
  ['a time', 'offset look-up', listOffsets, (stream) => stream.offsetForTime(1000)],
  ['the group’s commit', 'group offset', offsetFetch, (stream) => stream.committed()],
  ['a commit', 'group commit', offsetCommit, (stream) => stream.commit(1n, 1000, 1)],
] as const satisfies [
  string,
  string,
  { handle: Handler },
  (stream: Awaited<ReturnType<typeof open>>['stream']) => unknown,
][]
for (const [what, request, api, ask] of askers) {
  for (const part of ['partition', 'topic'] as const) {
    test(`an answer for another ${part} is not used for ${what}`, async (t) => {
      const { stream } = await open(t, records(3))
      await stream.commit(2n, 1001, 1)
      answerForAnother(t, api, part)
      await assert.rejects(async () => await ask(stream), {
        code: 'BROKER_FAILED',
        retryable: true,
        message: new RegExp(`failed at ${request}: .*does not contain partition 0 of cn_hangzhou_rm`),
      })
    })
  }
}

test('an offset look-up asks for committed records only and names its client', async (t) => {
  const { stream } = await open(t)
  const seen: unknown[] = []
  const handle = listOffsets.handle
  t.mock.method(listOffsets, 'handle', (...[request, ...rest]: Parameters<Handler>) => {
    const { body, clientId } = request
    const at = body.offset
    seen.push([clientId, body.readInt32(), body.readInt8()])
    body.offset = at
    return handle.call(listOffsets, request, ...rest)
  })
  await stream.offsetForTime(1000)
  assert.deepEqual(seen, [['dts-functions', -1, 1]])
})

for (const [which, time] of [
  ['beginning', -2n],
  ['end', -1n],
] as const) {
  test(`the data range fails if the broker does not name its ${which}`, async (t) => {
    const { stream } = await open(t)
    t.mock.method(listOffsets, 'handle', (...[{ version, body }, answer]: Parameters<Handler>) => {
      assert.equal(version, 3)
      body.readInt32()
      body.readInt8()
      const [times] = body.readEach(() => {
        body.readText()
        return body.readEach(() => {
          body.readInt32()
          return body.readInt64()
        })
      })
      answer.writeInt32(0)
      answer.writeEach([topic], (name) => {
        answer.writeString(name)
        answer.writeEach([0], () => {
          answer.writeInt32(0).writeInt16(0).writeInt64(-1n)
          answer.writeInt64(times?.[0] === time ? -1n : 5n)
        })
      })
      return undefined
    })
    await assert.rejects(stream.range(), {
      code: 'BROKER_FAILED',
      retryable: true,
      message: /failed at data range: the broker named no offset/,
    })
  })
}
