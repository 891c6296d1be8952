import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ColumnHistory, type SeenColumns } from '../../../lib/checkpoint/column-history.ts'

function seen(offset: bigint, columns: Record<string, number>, table = 'shop.orders'): SeenColumns {
  const since = { generation: 7, offset, time: 1_790_000_000 }
  return { table, columns: new Map(Object.entries(columns)), since }
}

const first = seen(1n, { id: 8, status: 253, total: 3 })
const changed = seen(9n, { total: 246, note: 252, id: 8 })

/** After it went through an item. */
function stored(history: ColumnHistory): ColumnHistory {
  const decoded = ColumnHistory.decode(history.encode())
  assert.ok(decoded !== null)
  return decoded
}

describe('the columns of a table', () => {
  test('have no drift when the table is seen first, and none as long as names and types stay', () => {
    const history = new ColumnHistory()
    assert.deepEqual(history.compare(first), { kind: 'first' })
    assert.equal(history.add(first), true)
    const reordered = seen(5n, { total: 3, id: 8, status: 253 })
    assert.deepEqual(stored(history).compare(reordered), { kind: 'known' })
  })

  test('drift by new, lost and retyped columns', () => {
    const history = new ColumnHistory()
    history.add(first)
    assert.deepEqual(stored(history).compare(changed), {
      kind: 'drift',
      added: ['note'],
      lost: ['status'],
      retyped: [{ name: 'total', from: 3, to: 246 }],
    })
  })

  test('that the table had before are known, so that a reset to an older place brings no news', () => {
    const history = new ColumnHistory()
    history.add(first)
    history.add(changed)
    assert.deepEqual(
      [stored(history).compare(first).kind, stored(history).compare(changed).kind],
      ['known', 'known'],
    )
  })

  test('drift from the version in use, also if that is an older one, as after a reset', () => {
    const history = new ColumnHistory()
    history.add(first)
    history.add(changed)
    const later = stored(history)
    assert.equal(later.compare(first).kind, 'known')
    const next = seen(20n, { id: 8, status: 253, total: 3, place: 253 })
    const drift = { added: ['place'], lost: [], retyped: [] }
    assert.deepEqual(later.compare(next), { kind: 'drift', ...drift })
    later.add(next)
    const { added, lost, retyped } = later.tables.get('shop.orders')?.versions.at(-1) ?? {}
    assert.deepEqual({ added, lost, retyped }, drift)
  })

  test('are kept by version, with the place where each was seen first', () => {
    const history = new ColumnHistory()
    history.add(first)
    history.add(changed)
    const kept = stored(history).tables.get('shop.orders')
    assert.deepEqual([...(kept?.columns ?? [])], [...changed.columns])
    assert.deepEqual(
      kept?.versions.map(({ digest, ...version }) => version),
      [
        { version: 1, since: first.since, added: [], lost: [], retyped: [] },
        {
          version: 2,
          since: changed.since,
          added: ['note'],
          lost: ['status'],
          retyped: [{ name: 'total', from: 3, to: 246 }],
        },
      ],
    )
  })

  test('may have any name', () => {
    const history = new ColumnHistory()
    const strange = {
      ...first,
      columns: new Map([
        ['__proto__', 1],
        ['a"\u0000ä', 2],
      ]),
    }
    history.add(strange)
    assert.deepEqual(stored(history).compare(strange), { kind: 'known' })
    const { columns: _, ...rest } = strange
    assert.deepEqual(stored(history).compare({ ...rest, columns: new Map([['a"\u0000ä', 2]]) }), {
      kind: 'drift',
      added: [],
      lost: ['__proto__'],
      retyped: [],
    })
  })
})

describe('the history stays below the limit of an item', () => {
  const limit = 400 * 1024
  /** Names that do not compress. */
  const noise = (n: number) => Buffer.from(String(Math.sin(n))).toString('hex')
  const wide = (table: number, version: number, columns: number) => {
    const names = Array.from({ length: columns }, (_, at) => [noise(table * 1e6 + version * 1e3 + at), 253])
    return seen(BigInt(version), Object.fromEntries(names), `shop.orders_${table}`)
  }

  test('with 500 tables of 30 columns, which all fit', () => {
    const history = new ColumnHistory()
    for (let table = 0; table < 500; table++) {
      const columns = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`column_${at}`, 253]))
      assert.equal(history.add(seen(1n, columns, `shop.orders_${table}`)), true)
    }
    assert.ok(history.encode().length < limit)
    assert.equal(stored(history).tables.size, 500)
  })

  test('with the 20 last versions of a table, whose numbers continue', () => {
    const history = new ColumnHistory()
    for (let version = 1; version <= 30; version++) history.add(seen(BigInt(version), { [`v${version}`]: 1 }))
    const versions =
      stored(history)
        .tables.get('shop.orders')
        ?.versions.map(({ version }) => version) ?? []
    assert.deepEqual([versions.length, versions[0], versions.at(-1)], [20, 11, 30])
  })

  test('if many wide tables change often: it keeps the columns of the tables and forgets older versions', () => {
    const history = new ColumnHistory()
    for (let version = 1; version <= 20; version++)
      for (let table = 0; table < 14; table++) history.add(wide(table, version, 100))
    const bytes = history.encode()
    assert.ok(bytes.length < limit, `${bytes.length}`)
    const after = stored(history)
    assert.equal(after.tables.size, 14)
    assert.equal(after.compare(wide(3, 20, 100)).kind, 'known')
  })

  test('if there are more tables than fit: it takes no more, and those that it has still change', () => {
    const history = new ColumnHistory()
    const taken = Array.from({ length: 160 }, (_, table) => history.add(wide(table, 1, 100)))
    const kept = taken.filter(Boolean).length
    assert.ok(kept > 10 && kept < 160, `${kept}`)
    assert.ok(history.encode().length < limit)
    const after = stored(history)
    assert.equal(after.tables.size, kept)
    assert.equal(after.add(wide(0, 2, 100)), true)
    assert.equal(after.add(wide(159, 1, 100)), false)
  })
})

test('bytes of another format count as no history', () => {
  for (const bytes of [Buffer.from('x'), new ColumnHistory().encode().subarray(3)])
    assert.equal(ColumnHistory.decode(bytes), null)
})
