import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Change, RowChange } from '../../../lib/dts/change.ts'
import { sourceTypes } from '../../../lib/dts/grammar.ts'
import { changeFromJson, changeToJson, parseChange, stringifyChange } from '../../../lib/dts/json.ts'
import { rowChange } from '../../../lib/dts/row-change.ts'
import type { ColumnValue, Row } from '../../../lib/dts/types.ts'
import { seededRuns } from '../../rig/property.ts'
import { row, seen, tagsOf } from './samples.ts'

/** Names that a careless implementation confuses with something else. */
const columnNames = ['id', '', '__proto__', 'constructor', '$bigint', 'a.b', 'größe', '\ud800', '0', 'toJSON']

/** Any UTF-16 units, halves of surrogate pairs included. */
const text = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 })
  .map((units) => String.fromCharCode(...units))
const value: fc.Arbitrary<ColumnValue> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  text,
  fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
  fc.bigInt({ min: -(2n ** 92n), max: 2n ** 92n }),
  fc.double(),
  fc.constantFrom(2 ** 53, Number.MAX_VALUE, 5e-324),
)
/** An object with these values that inherits nothing, as rows and tags do. */
function dictionary<T>(item: fc.Arbitrary<T>): fc.Arbitrary<readonly (readonly [string, T])[]> {
  return fc.uniqueArray(fc.tuple(fc.constantFrom(...columnNames), item), { selector: ([name]) => name })
}
/** `Object.assign` would set the prototype for `__proto__` on an ordinary object, so that entries are defined. */
function define<T extends object>(target: T, entries: readonly (readonly [string, unknown])[]): T {
  for (const [key, item] of entries)
    Object.defineProperty(target, key, { value: item, enumerable: true, writable: true, configurable: true })
  return target
}
const rows: fc.Arbitrary<Row> = dictionary(value).map((entries) => define(row({}), entries))

const name = { database: 'shop', schema: null, table: 'orders' }
const facts = fc.record({
  logical: fc.option(text.map((table) => ({ ...name, table }))),
  keys: fc.array(fc.oneof(fc.constant('id'), text), { maxLength: 2 }),
  offset: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  generation: fc.nat(5),
  replay: fc.boolean(),
  id: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  timestamp: fc.nat(2 ** 32),
  sourceType: fc.constantFrom(...sourceTypes),
  sourcePosition: text,
  transactionId: text,
  tags: dictionary(text).map((entries) => define(tagsOf({}), entries)),
  idempotencyKey: text.map((suffix) => `key ${suffix}`),
})
const named = fc.record({
  table: fc.constant('shop.orders'),
  name: fc.constantFrom(name, { ...name, schema: 'other' }),
})

const change: fc.Arbitrary<Change> = fc
  .record({
    operation: fc.constantFrom('INSERT' as const, 'INIT' as const, 'UPDATE' as const, 'DELETE' as const),
    facts,
    named,
    before: rows,
    after: rows,
    unchanged: fc.subarray(columnNames),
  })
  .map(({ operation, facts, named, before, after, unchanged }): RowChange => {
    // Some columns of an update keep their value.
    const kept = unchanged.filter((column) => Object.hasOwn(before, column))
    const updated = define(
      define(row({}), Object.entries(after)),
      kept.map((column) => [column, before[column]] as const),
    )
    const { id, timestamp, sourceType } = facts
    const images = {
      INSERT: [null, after],
      INIT: [null, after],
      UPDATE: [before, updated],
      DELETE: [before, null],
    } as const
    const [one, other] = images[operation]
    const details = { ...facts, ...named }
    return rowChange(operation, named.table, id, timestamp, sourceType, facts, one, other, details)
  })
const statement: fc.Arbitrary<Change> = fc
  .record({
    facts,
    named: fc.oneof(named, fc.constant({ table: null, name: null })),
    database: fc.constantFrom('shop', null),
    statement: text,
  })
  .map(({ facts, named, ...content }) => ({ ...facts, ...named, operation: 'DDL', ...content }))

test('any change comes back equal from its JSON text, and from a larger document that contains it', () => {
  fc.assert(
    fc.property(
      fc.oneof({ weight: 5, arbitrary: change }, { weight: 1, arbitrary: statement }),
      (original) => {
        const back = parseChange(stringifyChange(original))
        assert.deepEqual(seen(back), seen(original))
        assert.deepEqual(seen(changeFromJson(changeToJson(original))), seen(original))
        const document: unknown = JSON.parse(JSON.stringify({ change: changeToJson(original) }))
        assert.deepEqual(seen(changeFromJson((document as { change: unknown }).change)), seen(original))
        if (original.operation === 'UPDATE') {
          assert.ok(back.operation === 'UPDATE')
          for (const column of columnNames)
            assert.equal(back.changed(column), original.changed(column), column)
        }
      },
    ),
    seededRuns(3_000),
  )
})
