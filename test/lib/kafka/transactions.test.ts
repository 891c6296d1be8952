import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { DtsError } from '../../../lib/errors.ts'
import { defaultBatchLimits, readBatches } from '../../../lib/kafka/batch.ts'
import { crc32c } from '../../../lib/kafka/crc32c.ts'
import { parseFetchResponse } from '../../../lib/kafka/fetch-response.ts'
import type { AbortedTransaction } from '../../../lib/kafka/transactions.ts'
import { KafkajsEncoder, long } from '../../support/kafkajs-batches.ts'

const file = readFileSync(new URL('../../fixtures/batches/magic2-transaction.bin', import.meta.url))

/** Kafka's own batches: records of a transaction, its commit marker, two plain records, an abort marker. */
const kinds = ['records', 'commit', 'plain', 'abort'] as const
const batches = new Map<(typeof kinds)[number], Buffer>()
for (let at = 0; at < file.length; ) {
  const end = at + file.readInt32BE(at + 8) + 12
  batches.set(kinds[batches.size] ?? assert.fail(), file.subarray(at, end))
  at = end
}

/** The same bytes at another offset and of another producer. */
function batch(kind: (typeof kinds)[number], offset: bigint, producerId = -1n): Buffer {
  const bytes = Buffer.from(batches.get(kind) ?? assert.fail())
  bytes.writeBigInt64BE(offset, 0)
  bytes.writeBigInt64BE(producerId, 43)
  return sign(bytes)
}

function sign(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32c(bytes, 21), 17)
  return bytes
}

function read(from: bigint, aborted: readonly AbortedTransaction[], ...log: Buffer[]) {
  const { records, nextOffset } = readBatches(Buffer.concat(log), from, defaultBatchLimits, aborted)
  return { offsets: records.map(({ offset }) => Number(offset)), nextOffset }
}

test('records of an aborted transaction are dropped, and the next offset moves past them', () => {
  const payload = new KafkajsEncoder().writeInt32(0).writeInt32(1).writeString('topic').writeInt32(1)
  payload.writeInt32(0).writeInt16(0).writeInt64(long(45)).writeInt64(long(45))
  payload.writeInt32(1).writeInt64(long(77)).writeInt64(long(40)).writeBytes(file)
  const [partition] = parseFetchResponse(payload.buffer, 4).partitions
  assert.ok(partition)
  assert.deepEqual(partition.aborted, [{ producerId: 77n, firstOffset: 40n }])
  assert.deepEqual(read(40n, partition.aborted, partition.records), { offsets: [42, 43], nextOffset: 45n })
  assert.deepEqual(read(40n, [], partition.records), { offsets: [40, 42, 43], nextOffset: 45n })
})

test('an answer with only aborted records moves the next offset', () => {
  const aborted = [{ producerId: 7n, firstOffset: 40n }]
  assert.deepEqual(read(40n, aborted, batch('records', 40n, 7n)), { offsets: [], nextOffset: 41n })
})

const cases: [
  what: string,
  aborted: (AbortedTransaction & { readonly end: bigint })[],
  log: Buffer[],
  offsets: number[],
][] = [
  [
    'records of others in between are read, and those of the producer after its abort marker',
    [{ producerId: 7n, firstOffset: 40n, end: 46n }],
    [
      batch('records', 40n, 7n),
      batch('records', 41n, 8n),
      batch('commit', 42n, 8n),
      batch('plain', 43n),
      batch('records', 45n, 7n),
      batch('abort', 46n, 7n),
      batch('records', 47n, 7n),
      batch('commit', 48n, 7n),
    ],
    [41, 43, 44, 47],
  ],
  [
    'a committed transaction of the producer before the aborted one is read',
    [{ producerId: 7n, firstOffset: 42n, end: 43n }],
    [batch('records', 40n, 7n), batch('commit', 41n, 7n), batch('records', 42n, 7n), batch('abort', 43n, 7n)],
    [40],
  ],
  [
    'a producer that aborts twice, and two at once, listed in the order of their ends',
    [
      { producerId: 7n, firstOffset: 41n, end: 42n },
      { producerId: 8n, firstOffset: 40n, end: 44n },
      { producerId: 7n, firstOffset: 47n, end: 49n },
    ],
    [
      batch('records', 40n, 8n),
      batch('records', 41n, 7n),
      batch('abort', 42n, 7n),
      batch('records', 43n, 8n),
      batch('abort', 44n, 8n),
      batch('records', 45n, 7n),
      batch('commit', 46n, 7n),
      batch('records', 47n, 7n),
      batch('records', 48n, 8n),
      batch('abort', 49n, 7n),
      batch('commit', 50n, 8n),
    ],
    [45, 48],
  ],
  [
    'a commit marker does not end an aborted transaction',
    [{ producerId: 7n, firstOffset: 40n, end: 43n }],
    [batch('records', 40n, 7n), batch('commit', 41n, 7n), batch('records', 42n, 7n)],
    [],
  ],
]
for (const [what, aborted, log, offsets] of cases) {
  test(what, () => {
    const bytes = Buffer.concat(log)
    const whole = read(40n, aborted, bytes)
    assert.deepEqual(whole.offsets, offsets)
    // A broker lists a transaction until its end is passed.
    for (let from = 41n; from < whole.nextOffset; from++) {
      const rest = log.filter((entry) => entry.readBigInt64BE(0) + BigInt(entry.readInt32BE(23)) >= from)
      const named = aborted.filter(({ end }) => end >= from)
      assert.deepEqual(
        read(from, named, ...rest).offsets,
        offsets.filter((offset) => offset >= from),
        `from ${from}`,
      )
    }
  })
}

test('a control record without a type is BATCH_CORRUPT, not a commit', () => {
  const marker = batch('abort', 41n, 7n)
  // length, attributes, timestamp delta, offset delta, then the key: 4 bytes, zigzag.
  assert.deepEqual([...marker.subarray(61 + 4, 61 + 9)], [8, 0, 0, 0, 0])
  const keyless = Buffer.concat([marker.subarray(0, 61), Buffer.from([12, 0, 0, 0, 1, 1, 0])])
  keyless.writeInt32BE(keyless.length - 12, 8)
  const aborted = [{ producerId: 7n, firstOffset: 40n }]
  assert.throws(
    () => read(41n, aborted, sign(keyless)),
    (error) => error instanceof DtsError && error.code === 'BATCH_CORRUPT' && /no type/.test(error.message),
  )
  const empty = Buffer.from(marker.subarray(0, 61))
  empty.writeInt32BE(empty.length - 12, 8)
  assert.deepEqual(read(41n, aborted, sign(empty)), { offsets: [], nextOffset: 42n })
})
