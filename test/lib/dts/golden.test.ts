import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { Change } from '../../../lib/dts/change.ts'
import { carriesChange, readHeader } from '../../../lib/dts/header.ts'
import type { Row } from '../../../lib/dts/types.ts'
import { type GoldenRecord, readGolden } from '../../fixtures/golden/corpus.ts'
import { agree, type Comparison, differences } from '../../fixtures/golden/differences.ts'
import { decode, plainHeader } from './samples.ts'

const records = readGolden()
const changes = records.filter((record) => carriesChange(record.header.operation))
/** The rows of the corpus have no prototype. */
const plainRow = (row: Row): Row => Object.assign(Object.create(null), row)

const imagesOf = (change: Change): { before: Row | null; after: Row | null; statement: string | null } => ({
  before: 'before' in change ? plainRow(change.before) : null,
  after: 'after' in change ? plainRow(change.after) : null,
  statement: 'statement' in change ? change.statement : null,
})

/** Checks every record, so that one run names all records that fail. */
function forEach(some: readonly GoldenRecord[], check: (record: GoldenRecord) => void): void {
  assert.ok(some.length > 0)
  const failures: string[] = []
  for (const record of some) {
    try {
      check(record)
    } catch (error) {
      failures.push(`${record.name}: ${error instanceof Error ? error.message : error}`)
    }
  }
  assert.equal(failures.length, 0, `${failures.length} of ${some.length} records\n${failures.join('\n')}`)
}

describe('records written by the Avro classes of Alibaba’s SDK', () => {
  test('the corpus covers every operation, source type and union branch', () => {
    assert.ok(records.length >= 300)
    assert.equal(new Set(records.map((record) => record.name)).size, records.length)
    assert.equal(new Set(records.map((record) => record.header.operation)).size, 17)
    assert.equal(new Set(records.map((record) => record.header.sourceType)).size, 13)
    const cells = records.flatMap((record) => record.columns.flatMap(({ before, after }) => [before, after]))
    assert.equal(new Set(cells.map((cell) => cell?.branch ?? 'null')).size, 13)
  })

  test('headers are read as they were written', () => {
    forEach(records, (record) => {
      const { bodyStart, ...header } = plainHeader(readHeader(record.bytes))
      assert.deepEqual(header, record.header)
      assert.ok(bodyStart > 0 && bodyStart < record.bytes.length)
    })
  })

  for (const group of new Set(changes.map((record) => record.name.split('/', 1)[0]))) {
    test(`values are read as they were written: ${group}`, () => {
      forEach(
        changes.filter((record) => record.name.startsWith(`${group}/`)),
        (record) => assert.deepEqual(imagesOf(decode(record.bytes)), record.expected),
      )
    })
  }

  test('names and tags are read as they were written', () => {
    forEach(changes, (record) => {
      const change = decode(record.bytes)
      const { name } = change
      assert.deepEqual(name === null ? null : [name.database, name.schema, name.table], record.table)
      assert.deepEqual({ ...change.tags }, record.tags)
      assert.equal(change.table, record.table === null ? null : record.header.objectName)
      if (record.tags.l_tb_name !== undefined) {
        const { l_db_name: database, l_tb_name: table } = record.tags
        assert.deepEqual(change.logical, { database, schema: record.table?.[1], table })
      }
    })
  })

  test('only the requested columns are read', () => {
    forEach(
      changes.filter((record) => record.columns.length > 1),
      (record) => {
        const asked = record.columns.slice(1, 2).map((column) => column.name)
        const only = (row: Row | null) => {
          if (row === null) return null
          const kept = Object.entries(row).filter(([name]) => asked.includes(name))
          return Object.assign(Object.create(null), Object.fromEntries(kept))
        }
        const { before, after, statement } = record.expected
        assert.deepEqual(imagesOf(decode(record.bytes, asked)), {
          before: only(before),
          after: only(after),
          statement,
        })
      },
    )
  })
})

describe('compared with the output of Alibaba’s SDK', () => {
  test('ids, times, names, keys and operations are the same', () => {
    forEach(changes, (record) => {
      const change = decode(record.bytes)
      assert.equal(String(change.id), record.sdk.id)
      assert.equal(String(change.timestamp), record.sdk.timestamp)
      assert.equal(change.name?.table ?? null, record.sdk.table)
      const database = change.operation === 'DDL' ? change.database : change.name.database
      assert.equal(database, record.sdk.database)
      assert.deepEqual([...change.keys].sort(), [...(record.sdk.primaryKey ?? [])].sort())
      // The SDK has no name for a row of a full copy.
      assert.equal(change.operation === 'INIT' ? 'UNKNOWN' : change.operation, record.sdk.operation)
      if (change.operation === 'DDL') assert.equal(change.statement, record.sdk.after?.ddl)
    })
  })

  test('values are the same, except for the differences that DIFFERENCES.md lists', () => {
    const met = new Map(Object.keys(differences).map((id) => [id, 0]))
    let same = 0
    forEach(changes, (record) => {
      const images = imagesOf(decode(record.bytes))
      const unlisted: string[] = []
      for (const side of ['before', 'after'] as const) {
        const image = images[side]
        const printed = record.sdk[side]
        if (image === null || printed === null) continue
        for (const column of record.columns) {
          const cell = column[side] ?? null
          const comparison: Comparison = {
            record,
            column,
            branch: cell?.branch ?? null,
            charset: cell?.charset ?? '',
            ours: image[column.name],
            theirs: printed[column.name] ?? null,
          }
          if (agree(comparison)) {
            same++
            continue
          }
          const reasons = Object.entries(differences).filter(([, applies]) => applies(comparison))
          if (reasons.length === 0) {
            const { ours, theirs } = comparison
            unlisted.push(`${side}.${column.name}: ours ${String(ours)}, theirs ${JSON.stringify(theirs)}`)
          }
          for (const [id] of reasons) met.set(id, (met.get(id) ?? 0) + 1)
        }
      }
      assert.deepEqual(unlisted, [])
    })
    assert.ok(same > 800, `only ${same} values are the same`)
    for (const [id, count] of met) assert.ok(count > 0, `the difference ${id} no longer occurs`)
  })

  test('DIFFERENCES.md explains each difference', () => {
    const text = readFileSync(new URL('../../fixtures/golden/DIFFERENCES.md', import.meta.url), 'utf8')
    const explained = [...text.matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map(([, id]) => id)
    assert.deepEqual(explained.sort(), Object.keys(differences).sort())
  })
})
