/*
 * Mutated records. Any bytes must decode to a change or fail with RECORD_INVALID.
 * `npm run fuzz` runs this in a heap of 64 MB. FUZZ_ITERATIONS sets the number of records, and FUZZ_SEED repeats a run.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import * as encode from '../../../infra/local/encode.ts'
import { seededWhole } from '../../../infra/local/random.ts'
import type { Change } from '../../../lib/dts/change.ts'
import { identityOf } from '../../../lib/dts/digest.ts'
import { carriesChange, readHeader } from '../../../lib/dts/header.ts'
import type { Row } from '../../../lib/dts/types.ts'
import { DtsError } from '../../../lib/errors.ts'
import { readGolden } from '../../fixtures/golden/corpus.ts'
import { decode, seen } from './samples.ts'

const iterations = Number(process.env.FUZZ_ITERATIONS ?? 20_000)
const seed = Number(process.env.FUZZ_SEED ?? 20_261_123)

/** A row with the most common kinds of columns. */
const image = (n: number): encode.PlainValue[] => [
  encode.integer(10_000_000_000n + BigInt(n), 20),
  encode.text(n % 2 === 0 ? 'paid' : 'délivré'),
  encode.decimal(`${n}.50`),
  encode.integer(-n, 11),
  encode.timestamp(1_795_433_580 + n, n),
  encode.dateTime({ year: 2026, month: 11, day: 23, hour: 11, minute: 33, second: n % 60, millis: 0 }),
  encode.float(n / 3),
  encode.textObject('{"a":1}'),
  encode.binaryObject(Buffer.from([1, 2, 3])),
  encode.emptyNull,
  null,
]

const plainRecords = (['INSERT', 'UPDATE', 'DELETE', 'INIT'] as const).map(
  (operation, n): encode.PlainRecord => ({
    operation,
    id: 2n ** 40n + BigInt(n),
    objectName: 'shop.orders',
    processTimestamps: [1_795_433_580_101n],
    tags: { pk_uk_info: '{"PRIMARY":["c0"]}', l_tb_name: 'orders' },
    fields: image(0).map((_, index) => [`c${index}`, index === 3 ? 3 : 8] as const),
    before: operation === 'UPDATE' || operation === 'DELETE' ? image(n) : null,
    after: operation === 'DELETE' ? null : image(operation === 'UPDATE' ? n + 1 : n),
  }),
)
const ofRows = plainRecords.map((plain) => encode.encodeRecord(plain))

/** The records to mutate: half of the time the row above, otherwise every kind of value and source of the corpus. */
const corpus = readGolden()
  .filter((record) => carriesChange(record.header.operation) && record.bytes.length <= 2000)
  .map((record) => record.bytes)

type Random = (below: number) => number

/** Varints to insert as a length, count or branch: 2^31, 2^53, -2^63, 10^9, eleven bytes, more than 64 bits. */
const hostileNumbers = ['8080808010', 'feffffffffffff1f', 'ffffffffffffffffff01', '80a8d6b907', '01', '7f']
  .concat(['80'.repeat(11), 'ff'.repeat(9), '808080808080808080', '8001'])
  .map((hex) => Buffer.from(hex, 'hex'))

function mutated(original: Buffer, random: Random): Buffer {
  let bytes = Buffer.from(original)
  for (let edits = 1 + random(3); edits > 0 && bytes.length > 0; edits--) {
    const at = random(bytes.length)
    const other = at + 1 + random(16)
    switch (random(7)) {
      case 0:
      case 1:
        bytes[at] = (bytes[at] as number) ^ (1 << random(8))
        break
      case 2:
        bytes[at] = random(256)
        break
      case 3:
        bytes = bytes.subarray(0, at)
        break
      case 4:
        hostileNumbers[random(hostileNumbers.length)]?.copy(bytes, at)
        break
      case 5:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(other)])
        break
      default:
        bytes = Buffer.concat([bytes.subarray(0, other), bytes.subarray(at)])
    }
  }
  return bytes
}

/** The result of `read`, or its RECORD_INVALID. Any other error fails the test. */
function outcomeOf<T>(bytes: Buffer, read: () => T): T | DtsError {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof DtsError) || error.code !== 'RECORD_INVALID') throw error
    if (error.message.length > 500 || Number(error.facts.position ?? 0) > bytes.length) {
      throw new Error('the error is too long, or its position is outside of the record', { cause: error })
    }
    return error
  }
}

function outcome(bytes: Buffer, columns?: readonly string[]): Change | DtsError {
  return outcomeOf(bytes, () => {
    const change = decode(bytes, columns)
    // Facts that are decoded on demand must not fail either.
    seen(change)
    return change
  })
}

/** A record without a change has an identity too. */
const identity = (bytes: Buffer) => outcomeOf(bytes, () => identityOf(bytes, readHeader(bytes)))

const rowsOf = (change: Change): (Row | undefined)[] =>
  change.operation === 'DDL' ? [] : [Reflect.get(change, 'before'), Reflect.get(change, 'after')]

/** True if both have the same values of these columns. */
function sameColumns(one: Row | undefined, other: Row | undefined, columns: readonly string[]): boolean {
  if (one === undefined || other === undefined) return one === other
  return columns.every(
    (name) => Object.is(one[name], other[name]) || isDeepStrictEqual(one[name], other[name]),
  )
}

test(`${iterations} mutated records each decode to a change or fail with RECORD_INVALID`, () => {
  const random = seededWhole(seed)
  let changes = 0
  for (let round = 0; round < iterations; round++) {
    const from = random(2) === 0 ? ofRows : corpus
    const bytes = mutated(from[random(from.length)] as Buffer, random)
    try {
      const known = identity(bytes)
      const whole = outcome(bytes)
      if (whole instanceof DtsError) continue
      changes++
      assert.ok(!(known instanceof DtsError), 'a change has an identity')
      const columns = rowsOf(whole)
        .flatMap((row) => Object.keys(row ?? {}))
        .filter(() => random(3) === 0)
      const part = outcome(bytes, columns)
      assert.ok(
        !(part instanceof DtsError),
        'a record that decodes completely must decode with fewer columns',
      )
      const rows = rowsOf(part)
      const same = rowsOf(whole).every((row, index) => sameColumns(row, rows[index], columns))
      assert.ok(same, 'a requested column must have the same value as among all columns')
    } catch (cause) {
      const message = `seed ${seed}, round ${round}: ${bytes.toString('hex')}`
      throw new Error(message, { cause })
    }
  }
  const share = changes / iterations
  assert.ok(share > 0.02 && share < 0.9, `${changes} of ${iterations} were changes: seed ${seed}`)
})

test('a record that is cut at any byte is refused, unless the cut removes only the last field', () => {
  for (const [index, whole] of [...ofRows, ...corpus].entries()) {
    const accepted: number[] = []
    const expected = rowsOf(decode(whole))
    for (let length = 0; length < whole.length; length++) {
      const bytes = whole.subarray(0, length)
      identity(bytes)
      const change = outcome(bytes)
      if (change instanceof DtsError) continue
      accepted.push(length)
      assert.ok(isDeepStrictEqual(rowsOf(change), expected), `cut at ${length}: ${whole.toString('hex')}`)
    }
    // Some records of the corpus have bytes of a later version after the last field.
    const plain = plainRecords[index]
    if (plain === undefined) continue
    const old = encode.encodeRecord({ ...plain, bornTimestamp: null })
    assert.ok(whole.subarray(0, old.length).equals(old), 'the last field is at the end')
    assert.deepEqual(accepted, [old.length], whole.toString('hex'))
  }
})
