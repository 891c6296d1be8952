import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DStore } from '../../../../infra/local/dstore/dstore.ts'
import { describeRecord } from '../../../../infra/local/page/describe-record.ts'
import { LatestChanges } from '../../../../infra/local/page/latest-changes.ts'
import { searchLog } from '../../../../infra/local/page/search.ts'
import { t0, Writer } from '../../../support/records.ts'

/** Offsets 100 to 105: two changes of order 1, one of order 2, one of customer 1, and two records without a change. */
async function shopLog(): Promise<DStore> {
  const writer = new Writer()
  const store = new DStore({ firstOffset: 100n })
  await store.append([
    writer.mark('HEARTBEAT', t0),
    writer.insert('shop.orders', 1, t0),
    writer.insert('shop.orders', 2, t0),
    writer.insert('shop.customers', 1, t0 + 1),
    writer.update('shop.orders', 1, t0 + 2),
  ])
  await store.filler(1)
  return store
}

const offsets = ({ changes }: { readonly changes: readonly { readonly offset: bigint }[] }) =>
  changes.map(({ offset }) => Number(offset))

describe('the search for a row', () => {
  const cases: [table: string | null, key: string, found: number[], reason: string][] = [
    ['shop.orders', 'id=1', [104, 101], 'all changes of the row, newest first'],
    [null, 'id=1', [104, 103, 101], 'rows of all tables with this key'],
    ['shop.orders', 'id=1 status=paid', [104], 'several columns, in either image'],
    ['shop.orders', 'id=9', [], 'no such row'],
    ['shop.orders', 'nothing=1', [], 'no such column'],
    ['shop.orders', '  ', [], 'no key at all'],
  ]
  for (const [table, key, found, reason] of cases) {
    test(`"${key}" in ${table ?? 'every table'}: ${reason}`, async () => {
      const result = await searchLog(await shopLog(), { table, key })
      assert.deepEqual(offsets(result), found)
      assert.deepEqual([result.searched, result.isPartial], [{ from: 100n, to: 105n }, false])
    })
  }

  test('finds a deleted row', async () => {
    const store = await shopLog()
    await store.append([new Writer('more').delete('shop.orders', 2, t0 + 3)])
    assert.deepEqual(offsets(await searchLog(store, { table: 'shop.orders', key: 'id=2' })), [106, 102])
  })

  test('finds the row of another log at its offset there', async () => {
    const store = await shopLog()
    await store.switchCluster({ firstOffset: 5_000n })
    assert.deepEqual(offsets(await searchLog(store, { table: 'shop.orders', key: 'id=2' })), [5_002])
  })

  test('names no searched offsets when the log is empty', async () => {
    const { searched, changes } = await searchLog(new DStore(), { table: null, key: '1' })
    assert.deepEqual([searched, changes], [null, []])
  })

  test('says that older records were left out when it has found enough', async () => {
    const store = new DStore()
    const writer = new Writer()
    await store.append(Array.from({ length: 80 }, (_, i) => writer.update('shop.orders', 7, t0 + i)))
    const { changes, searched, isPartial } = await searchLog(store, { table: null, key: 'id=7' })
    assert.deepEqual([changes.length, searched, isPartial], [50, { from: 30n, to: 79n }, true])
  })
})

describe('the list of the latest changes', () => {
  test('gets what was appended since the last look, newest first', async () => {
    const store = await shopLog()
    const latest = new LatestChanges(store)
    assert.deepEqual(offsets({ changes: latest.look() }), [104, 103, 102, 101])
    await store.append([new Writer('more').delete('shop.orders', 1, t0 + 3)])
    assert.deepEqual(offsets({ changes: latest.look() }), [106, 104, 103, 102, 101])
    assert.deepEqual(offsets({ changes: latest.look() }), [106, 104, 103, 102, 101])
  })

  test('begins anew with the offsets of another cluster', async () => {
    const store = await shopLog()
    const latest = new LatestChanges(store)
    latest.look()
    await store.switchCluster({ firstOffset: 5_000n })
    assert.deepEqual(offsets({ changes: latest.look() }), [5_004, 5_003, 5_002, 5_001])
  })

  test('keeps a bounded number of changes', async () => {
    const store = new DStore()
    await store.append(new Writer().inserts('shop.orders', 1, 500))
    assert.equal(new LatestChanges(store).look().length, 60)
  })

  test('shows a record that cannot be read with the reason', () => {
    const broken = { offset: 7n, timestamp: t0, key: null, value: Buffer.alloc(40, 0xff) }
    const change = describeRecord(broken)
    assert.equal(change?.operation, 'UNREADABLE')
    assert.match(change?.text ?? '', /./)
  })

  test('shows both images of an update', async () => {
    const { records } = await shopLog()
    const [update] = records.filter(({ offset }) => offset === 104n)
    assert.ok(update)
    const status = describeRecord(update)?.columns.find(({ name }) => name === 'status')
    assert.deepEqual(status, { name: 'status', before: "'new'", after: "'paid'" })
  })
})
