import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { seededWhole } from '../../../infra/local/random.ts'
import { DtsError } from '../../../lib/errors.ts'
import { readBatches } from '../../../lib/kafka/batch.ts'
import { crc32c } from '../../../lib/kafka/crc32c.ts'
import type { BatchLimits, LogSlice } from '../../../lib/kafka/log-slice.ts'

const folder = new URL('../../fixtures/batches/', import.meta.url)
const names = readdirSync(folder).filter((name) =>
  /^(small|mixed|magic2-transaction|.*append-time)/.test(name),
)
const batches = names.map((name) => ({ name, bytes: readFileSync(new URL(name, folder)) }))
const modern = batches.filter(({ name }) => name.startsWith('small2'))

const MiB = 2 ** 20
const limits: BatchLimits = {
  maxBatchBytes: MiB,
  maxDecompressedBytes: MiB,
  maxRecordBytes: MiB,
  maxRecords: 1_000,
}

const codes = new Set(['BATCH_CORRUPT', 'BATCH_TOO_LARGE', 'PROTOCOL_UNSUPPORTED'])

/** null if the reader refuses it with a DtsError. */
function read(bytes: Buffer, from = 0n): LogSlice | null {
  try {
    return readBatches(bytes, from, limits)
  } catch (error) {
    if (error instanceof DtsError && codes.has(error.code)) return null
    throw error
  }
}

const lines = (slice: LogSlice) =>
  slice.records.map(({ offset, value }) => `${offset} ${value?.toString('hex')}`)

function flip(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes)
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return changed
}

for (const { name, bytes } of batches) {
  const whole = readBatches(bytes, 0n)

  test(`${name} cut at every byte yields whole batches only and never an error`, () => {
    assert.ok(whole.records.length > 0)
    let yielded = 0
    for (let length = 0; length < bytes.length; length++) {
      const slice = readBatches(bytes.subarray(0, length), 0n)
      assert.deepEqual(lines(slice), lines(whole).slice(0, slice.records.length), `${length} bytes`)
      assert.ok(slice.nextOffset < whole.nextOffset, `${length} bytes`)
      if (length > 0 && slice.nextOffset === 0n)
        assert.ok((slice.neededBytes ?? 0) > length, `${length} bytes`)
      assert.ok(slice.records.length >= yielded, `${length} bytes`)
      yielded = slice.records.length
    }
  })
}

for (const { name, bytes } of batches.filter((batch) => batch.name.startsWith('small'))) {
  const isModern = name.startsWith('small2')
  const whole = readBatches(bytes, 0n)

  test(`${name}: a flipped bit under the checksum is BATCH_CORRUPT`, () => {
    // In an uncompressed set of old messages, each message is an entry. The test damages the first one.
    const end = bytes.readInt32BE(8) + 12
    for (let bit = (isModern ? 16 : 12) * 8; bit < end * 8; bit++) {
      assert.throws(() => readBatches(flip(bytes, bit), 0n), { code: 'BATCH_CORRUPT' }, `bit ${bit}`)
    }
  })

  test(`${name}: an error for a bad batch names the offset after the batch`, () => {
    const end = bytes.readInt32BE(8) + 12
    const next = readBatches(bytes.subarray(0, end), 0n).nextOffset
    const message = new RegExp(`Its header says that the next offset is ${next}\\.$`)
    for (const [code, read] of [
      ['BATCH_CORRUPT', () => readBatches(flip(bytes, (end - 1) * 8), 0n)],
      ['BATCH_TOO_LARGE', () => readBatches(bytes, 0n, { ...limits, maxBatchBytes: end - 1 })],
    ] as const)
      assert.throws(read, (error) => {
        assert.ok(error instanceof DtsError)
        assert.deepEqual([error.code, error.facts.nextOffset], [code, String(next)])
        assert.match(error.message, message)
        return true
      })
  })

  test(`${name}: a flipped bit in the length yields nothing`, () => {
    for (let bit = 8 * 8; bit < 12 * 8; bit++) {
      assert.equal(read(flip(bytes, bit))?.records.length ?? 0, 0, `bit ${bit}`)
    }
  })

  test(`${name}: a flipped bit in the base offset changes no value`, () => {
    const values = (slice: LogSlice | null) => slice?.records.map(({ value }) => value) ?? []
    for (let bit = 0; bit < 8 * 8; bit++) {
      const found = values(read(flip(bytes, bit)))
      assert.deepEqual(found, values(whole).slice(values(whole).length - found.length), `bit ${bit}`)
    }
  })
}

test('a hostile length at any position of a batch with a right checksum ends in a slice or a DtsError', () => {
  let refused = 0
  for (const { bytes } of modern) {
    for (let position = 21; position + 4 <= bytes.length; position++) {
      for (const hostile of [0x7fffffff, -1, -0x80000000, 0x10000000]) {
        const changed = Buffer.from(bytes)
        changed.writeInt32BE(hostile, position)
        changed.writeUInt32BE(crc32c(changed, 21), 17)
        if (read(changed) === null) refused++
      }
    }
  }
  assert.ok(refused > 1_000, `${refused} refused`)
})

const iterations = Number(process.env.FUZZ_ITERATIONS ?? 20_000)
const seed = Number(process.env.FUZZ_SEED ?? 1)

function mutate(bytes: Buffer, random: (below: number) => number): Buffer {
  const changed = Buffer.from(bytes)
  switch (random(5)) {
    case 0:
      return changed.subarray(0, random(changed.length))
    case 1:
      changed.writeInt32BE(
        [0x7fffffff, -1, -0x80000000, 0, 65_536][random(5)] ?? 0,
        random(changed.length - 4),
      )
      return changed
    case 2:
      changed.copyWithin(random(changed.length), random(changed.length), random(changed.length))
      return changed
    default:
      for (let left = 1 + random(4); left > 0; left--) changed[random(changed.length)] = random(256)
      return changed
  }
}

test(`${iterations} mutated batches never crash the reader, and never yield a wrong value under the checksum`, async () => {
  const random = seededWhole(seed)
  const tally = { refused: 0, empty: 0, yielded: 0, signedYielded: 0 }
  for (let iteration = 0; iteration < iterations; iteration++) {
    // zlib keeps failed output until the event loop turns. Between two fetches it always turns.
    if (iteration % 1_000 === 0) await setImmediate()
    const batch = modern[random(modern.length)]
    const other = batches[random(batches.length)]
    assert.ok(batch && other)
    const signed = iteration % 2 === 0
    const original = signed ? batch.bytes : other.bytes
    const changed = mutate(original, random)
    // With a right checksum, the damage reaches the decoders.
    if (signed && changed.length > 61) changed.writeUInt32BE(crc32c(changed, 21), 17)

    const from = BigInt(random(720))
    const at = `seed ${seed}, iteration ${iteration}, ${signed ? batch.name : other.name}`
    const slice = read(changed, from)
    if (slice === null) {
      tally.refused++
      continue
    }
    let least = from
    for (const { offset } of slice.records) {
      assert.ok(offset >= least, at)
      least = offset + 1n
    }
    assert.ok(slice.nextOffset >= least, at)
    assert.ok(
      slice.neededBytes === null || (slice.nextOffset === from && slice.neededBytes > changed.length),
      at,
    )
    if (slice.records.length === 0) tally.empty++
    else if (signed) tally.signedYielded++
    else tally.yielded++

    // A batch of magic 2 that is damaged under its checksum yields nothing.
    const intact = changed.length === original.length && changed.subarray(16).equals(original.subarray(16))
    if (!signed && other.name.startsWith('small2') && !intact) assert.equal(slice.records.length, 0, at)
  }
  for (const [outcome, count] of Object.entries(tally))
    assert.ok(count > iterations / 100, `${outcome} ${count}`)
})

test('decompression bombs and absurd lengths are refused in a 64 MiB heap', () => {
  const script = fileURLToPath(new URL('batch-bombs.ts', import.meta.url))
  const child = spawnSync(process.execPath, ['--max-old-space-size=64', script], { encoding: 'utf8' })
  assert.equal(child.status, 0, child.stderr)
  const { grownBytes, ...refused } = JSON.parse(child.stdout) as Record<string, string | number>
  assert.deepEqual(refused, {
    length: 'BATCH_TOO_LARGE',
    gzip: 'BATCH_TOO_LARGE',
    zstd: 'BATCH_TOO_LARGE',
    snappy: 'BATCH_CORRUPT',
    validSnappy: 'BATCH_TOO_LARGE',
    xerial: 'BATCH_CORRUPT',
    lz4: 'BATCH_TOO_LARGE',
    tiny: 'slice of 100000',
  })
  assert.ok(Number(grownBytes) < 256 * MiB, `${grownBytes} bytes more than before`)
})
