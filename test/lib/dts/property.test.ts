import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import * as encode from '../../../infra/local/encode.ts'
import { operations, sourceTypes } from '../../../lib/dts/grammar.ts'
import { readHeader } from '../../../lib/dts/header.ts'
import type { ColumnValue } from '../../../lib/dts/types.ts'
import { seededRuns } from '../../rig/property.ts'
import { decode, row, tagsOf } from './samples.ts'

/** A value as it is encoded, and the value that it must decode to; undefined when the row must not have the column. */
type Cell = readonly [encoded: encode.PlainValue, decoded: ColumnValue | undefined]

/** Type numbers of a column whose integers fit into a number, by source. The other sources have none. */
const narrowTypes: { readonly [source: string]: number | undefined } = {
  MySQL: 3,
  DRDS: 9,
  PostgreSQL: 23,
  PPAS: 21,
}
/** A type number that is narrow on no source. */
const wideType = 8

const text = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'abcXYZ019_ '), maxLength: 80 }),
  fc.string({ unit: fc.constantFrom(...'aäöß€中文😀é\u0000\ufeff\\"'), maxLength: 80 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
)
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))
const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const unsigned64 = fc.bigInt({ min: -(2n ** 64n - 1n), max: 2n ** 64n - 1n })
const below = (limit: number) => fc.integer({ min: 0, max: limit - 1 })
const micros = fc.oneof(fc.constant(0), below(1_000_000))

const two = (value: number) => String(value).padStart(2, '0')
const six = (value: number) => String(value).padStart(6, '0')

const date = fc
  .record({
    year: below(9_999),
    month: fc.integer({ min: 1, max: 12 }),
    day: fc.integer({ min: 1, max: 28 }),
  })
  .map((parts) => ({
    parts,
    printed: `${String(parts.year).padStart(4, '0')}-${two(parts.month)}-${two(parts.day)}`,
  }))
const time = fc
  .record({ hour: below(24), minute: below(60), second: below(60), millis: micros })
  .map((parts) => {
    const fraction = parts.millis === 0 ? '' : `.${six(parts.millis)}`
    return { parts, printed: `${two(parts.hour)}:${two(parts.minute)}:${two(parts.second)}${fraction}` }
  })

/** Cells of each kind of column. */
const kinds: readonly fc.Arbitrary<Cell>[] = [
  unsigned64.map((value) => [encode.integer(value), value]),
  fc
    .tuple(text, fc.constantFrom('utf8', 'utf8mb3', 'utf8mb4'))
    .map(([value, charset]) => [encode.text(value, charset), value]),
  bytes.map((value) => [encode.text(value, 'binary'), value]),
  fc.tuple(long, below(1_000)).map(([whole, fraction]) => {
    const value = `${whole}.${fraction}`
    return [encode.decimal(value), value]
  }),
  fc.double().map((value) => [encode.float(value), value]),
  fc.tuple(fc.integer({ min: -(2 ** 37), max: 2 ** 37 }), micros).map(([seconds, fraction]) => {
    const printed = new Date(seconds * 1000).toISOString().replace('.000Z', '')
    return [encode.timestamp(seconds, fraction), `${printed}.${six(fraction)}Z`]
  }),
  date.map(({ parts, printed }) => [encode.dateTime(parts), printed]),
  fc
    .tuple(date, time)
    .map(([day, clock]) => [
      encode.dateTime({ ...day.parts, ...clock.parts }),
      `${day.printed} ${clock.printed}`,
    ]),
  fc
    .tuple(date, time)
    .map(([day, clock]) => [
      encode.zonedDateTime({ ...day.parts, ...clock.parts }, '+08:00'),
      `${day.printed} ${clock.printed} +08:00`,
    ]),
  fc
    .tuple(bytes, fc.constantFrom(encode.binaryObject, encode.binaryGeometry))
    .map(([value, object]) => [object(value), value]),
  fc
    .tuple(text, fc.constantFrom(encode.textObject, encode.textGeometry))
    .map(([value, object]) => [object(value), value]),
]
const narrowInteger: fc.Arbitrary<Cell> = fc
  .integer({ min: -(2 ** 32), max: 2 ** 32 })
  .map((value) => [encode.integer(value), value === 0 ? 0 : value])

/** Any column can be NULL, in either form, or absent from an image. */
const orMissing = (cell: fc.Arbitrary<Cell>) =>
  fc.oneof(
    { weight: 10, arbitrary: cell },
    { weight: 1, arbitrary: fc.constantFrom<Cell>([encode.nothing, null], [encode.emptyNull, null]) },
    { weight: 1, arbitrary: fc.constant<Cell>([encode.emptyNone, undefined]) },
  )

const columnOf = (cell: fc.Arbitrary<Cell>, isNarrow: boolean) =>
  fc.record({
    name: text,
    isNarrow: fc.constant(isNarrow),
    before: orMissing(cell),
    written: orMissing(cell),
    isWritten: fc.boolean(),
    isAsked: fc.boolean(),
  })
const columns = fc.uniqueArray(
  fc.oneof(columnOf(narrowInteger, true), ...kinds.map((kind) => columnOf(kind, false))),
  {
    selector: ({ name }) => name,
    minLength: 1,
    maxLength: 14,
  },
)

const anyRecord = fc.record({
  operation: fc.constantFrom('INSERT' as const, 'UPDATE' as const, 'DELETE' as const, 'INIT' as const),
  version: fc.integer(),
  id: long,
  sourceTimestamp: fc.maxSafeInteger().map(BigInt),
  sourcePosition: text,
  safeSourcePosition: text,
  sourceTxid: text,
  sourceType: fc.constantFrom(...sourceTypes),
  sourceVersion: text,
  objectName: fc.constantFrom('shop.orders', 'shop.public.orders', 'a\\u002Eb.c'),
  processTimestamps: fc.option(fc.array(long, { maxLength: 2 })),
  tags: fc.dictionary(text, text, { maxKeys: 3 }),
  columns,
  isProjected: fc.boolean(),
  bornTimestamp: fc.option(long),
})

test('the decoder reads every record that a general Avro library writes', () => {
  fc.assert(
    fc.property(anyRecord, ({ columns, isProjected, ...facts }) => {
      const { operation, sourceType, tags } = facts
      const narrowType = narrowTypes[sourceType]
      // An integer of a type that may be wide on this source decodes to a bigint.
      const widened = (value: ColumnValue | undefined, isNarrow: boolean) =>
        isNarrow && narrowType === undefined && typeof value === 'number' ? BigInt(value) : value
      const before = columns.map(({ before }) => before)
      // An update has a column that it does not write twice, with the same value.
      const after = columns.map(({ before, written, isWritten }) => (isWritten ? written : before))
      const hasBefore = operation === 'UPDATE' || operation === 'DELETE'
      const hasAfter = operation !== 'DELETE'
      const encoded = encode.encodeRecord({
        ...facts,
        fields: columns.map(({ name, isNarrow }) => [name, isNarrow ? (narrowType ?? wideType) : wideType]),
        before: hasBefore ? before.map(([plain]) => plain) : null,
        after: hasAfter ? after.map(([plain]) => plain) : null,
      })
      const asked = isProjected ? columns.filter(({ isAsked }) => isAsked).map(({ name }) => name) : undefined
      const rowOf = (cells: readonly Cell[]) => {
        const values = columns.map(
          ({ name, isNarrow }, index) => [name, widened(cells[index]?.[1], isNarrow)] as const,
        )
        const present = values.filter(
          ([name, value]) => value !== undefined && (asked?.includes(name) ?? true),
        )
        return row(Object.fromEntries(present) as Record<string, ColumnValue>)
      }

      const change = decode(encoded, asked)
      const expected = {
        operation,
        table: facts.objectName,
        id: facts.id,
        timestamp: Number(facts.sourceTimestamp),
        sourceType,
        sourcePosition: facts.sourcePosition,
        transactionId: facts.sourceTxid,
        tags: tagsOf(tags),
        ...(hasAfter ? { after: rowOf(after) } : {}),
        ...(hasBefore ? { before: rowOf(before) } : {}),
      }
      const seen = Object.fromEntries(Object.keys(expected).map((key) => [key, Reflect.get(change, key)]))
      assert.deepEqual(seen, expected)
      const header = readHeader(encoded)
      assert.deepEqual(
        [header.version, header.safeSourcePosition, header.sourceVersion],
        [facts.version, facts.safeSourcePosition, facts.sourceVersion],
      )
    }),
    seededRuns(1_500),
  )
})

test('the header of every operation agrees with a general Avro library that reads the same bytes', () => {
  for (const operation of operations) {
    const encoded = encode.encodeRecord({ operation, id: 2n ** 62n, objectName: 'a.b' })
    const theirs = encode.recordType.fromBuffer(encoded)
    const ours = readHeader(encoded)
    assert.deepEqual(
      [ours.id, ours.operation, ours.objectName, ours.sourceType, BigInt(ours.sourceTimestamp)],
      [
        theirs.id,
        theirs.operation,
        theirs.objectName.string,
        theirs.source.sourceType,
        theirs.sourceTimestamp,
      ],
    )
  }
})
