import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { before, test } from 'node:test'
import { DtsError } from '../../../lib/errors.ts'
import { parseFetchResponse } from '../../../lib/kafka/fetch-response.ts'
import { encodeBatch, KafkajsEncoder, long } from '../../support/kafkajs-batches.ts'

const require = createRequire(import.meta.url)
const versions = [4, 5, 6, 7, 8, 9, 10, 11]
let records: Buffer

before(async () => {
  records = await encodeBatch({ baseOffset: 41n, values: [Buffer.from('a'), Buffer.from('b')] })
})

function encode(version: number, recordSet: Buffer = records): Buffer {
  const encoder = new KafkajsEncoder().writeInt32(5)
  if (version >= 7) encoder.writeInt16(71).writeInt32(123)
  encoder.writeInt32(1).writeString('topic-ä').writeInt32(2)
  for (const partition of [0, 1]) {
    encoder.writeInt32(partition).writeInt16(partition)
    encoder.writeInt64(long(2n ** 53n + 1n)).writeInt64(long(50))
    if (version >= 5) encoder.writeInt64(long(7))
    encoder.writeInt32(1).writeInt64(long(9)).writeInt64(long(10))
    if (version >= 11) encoder.writeInt32(-1)
    if (partition === 0) encoder.writeBytes(recordSet)
    else encoder.writeInt32(-1)
  }
  return encoder.buffer
}

for (const version of versions) {
  test(`reads version ${version} as kafkajs does, with exact offsets`, async () => {
    const payload = encode(version)
    const response = parseFetchResponse(payload, version)
    assert.deepEqual(response, {
      throttleMs: 5,
      errorCode: version >= 7 ? 71 : 0,
      partitions: [0, 1].map((partition) => ({
        topic: 'topic-ä',
        partition,
        errorCode: partition,
        highWatermark: 9007199254740993n,
        logStartOffset: version >= 5 ? 7n : null,
        aborted: [{ producerId: 9n, firstOffset: 10n }],
        records: partition === 0 ? records : Buffer.alloc(0),
      })),
    })
    const { decode } = require(`kafkajs/src/protocol/requests/fetch/v${version}/response`) as {
      decode(
        payload: Buffer,
      ): Promise<{ responses: [{ partitions: { highWatermark: string; messages: unknown[] }[] }] }>
    }
    const { partitions } = (await decode(payload)).responses[0]
    assert.deepEqual(
      partitions.map(({ highWatermark, messages }) => [highWatermark, messages.length]),
      [
        ['9007199254740993', 2],
        ['9007199254740993', 0],
      ],
    )
  })

  test(`refuses version ${version} cut at every byte`, () => {
    const payload = encode(version)
    for (let length = 0; length < payload.length; length++) {
      assert.throws(
        () => parseFetchResponse(payload.subarray(0, length), version),
        (error) => error instanceof DtsError && error.code === 'BATCH_CORRUPT' && error.retryable,
        `${length} bytes`,
      )
    }
  })
}

test('records are a view on the payload, not a copy', () => {
  const payload = encode(11)
  assert.equal(parseFetchResponse(payload, 11).partitions[0]?.records.buffer, payload.buffer)
})

test('an answer without topics has no partitions', () => {
  const payload = new KafkajsEncoder().writeInt32(0).writeInt16(0).writeInt32(0).writeInt32(0).buffer
  assert.deepEqual(parseFetchResponse(payload, 11), { throttleMs: 0, errorCode: 0, partitions: [] })
})

test('refuses lengths and counts that do not fit the bytes', () => {
  const payload = encode(4)
  const positions: [position: number, what: string][] = [
    [4, 'topics'],
    [8 + 2 + 8, 'partitions'],
    [8 + 2 + 8 + 4 + 22, 'aborted_transactions'],
    [8 + 2 + 8 + 4 + 26 + 16, 'records'],
  ]
  for (const [position, what] of positions) {
    for (const hostile of [0x7fffffff, -2, -0x80000000]) {
      const changed = Buffer.from(payload)
      changed.writeInt32BE(hostile, position)
      assert.throws(
        () => parseFetchResponse(changed, 4),
        (error) =>
          error instanceof DtsError && error.code === 'BATCH_CORRUPT' && error.message.includes(what),
        `${what} ${hostile}`,
      )
    }
  }
})

test('refuses bytes after the end, and versions outside 4 to 11', () => {
  assert.throws(() => parseFetchResponse(Buffer.concat([encode(4), Buffer.alloc(1)]), 4), {
    code: 'BATCH_CORRUPT',
  })
  for (const version of [3, 12, Number.NaN]) {
    assert.throws(() => parseFetchResponse(encode(4), version), {
      code: 'PROTOCOL_UNSUPPORTED',
      retryable: false,
    })
  }
})
