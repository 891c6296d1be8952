import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { encodeRecord, text } from '../../../infra/local/encode.ts'
import { ColumnHistory } from '../../../lib/checkpoint/column-history.ts'
import type { StoredColumns } from '../../../lib/checkpoint/column-store.ts'
import { JudgedLists } from '../../../lib/dispatch/column-looks.ts'
import type { PollDependencies } from '../../../lib/poll/dependencies.ts'
import type { NewRecord } from '../../support/parts.ts'
import { t0, Writer } from '../../support/records.ts'
import { codeOf, failure, haltCode, run } from './support.ts'

const write = new Writer()

function order(columns: readonly string[], type = 253, table = 'shop.orders'): NewRecord {
  const value = encodeRecord({
    operation: 'INSERT',
    objectName: table,
    sourceTimestamp: t0,
    fields: columns.map((name) => [name, type]),
    after: columns.map((name) => text(`secret ${name}`)),
    tags: { pk_uk_info: '{"PRIMARY":["id"]}' },
  })
  return { value, timestamp: t0 }
}

function orders(count: number, columns: readonly string[] = ['id', 'status']): NewRecord[] {
  return new Array<NewRecord>(count).fill(order(columns))
}

const routes = (onDrift?: string, others: object = {}) => ({
  ROUTES: JSON.stringify({
    'shop.orders': { function: 'orders', ...(onDrift ? { onDrift } : {}) },
    ...others,
  }),
})

/** The stored columns of a stream, and the processes of its poller. */
class Kept {
  #bytes: Uint8Array | null = null
  #revision = 0
  reads = 0
  writes = 0
  /** So many writes get lost: as if another run wrote first. */
  lost = 0
  fault: Error | null = null
  #judged = new JudgedLists()

  get tables() {
    return (
      (this.#bytes === null ? null : ColumnHistory.decode(this.#bytes))?.tables ?? new Map<string, never>()
    )
  }

  /** The next run is in another process. */
  coldStart(): void {
    this.#judged = new JudgedLists()
  }

  get columns(): NonNullable<PollDependencies['columns']> {
    return {
      judged: this.#judged,
      store: {
        read: async (): Promise<StoredColumns> => {
          this.reads += 1
          if (this.fault !== null) throw this.fault
          const history = this.#bytes === null ? null : ColumnHistory.decode(this.#bytes)
          return { history: history ?? new ColumnHistory(), revision: this.#revision }
        },
        write: async ({ history, revision }: StoredColumns) => {
          this.writes += 1
          if (this.fault !== null) throw this.fault
          if (this.lost > 0) {
            this.lost -= 1
            this.#revision += 1
          }
          if (revision !== this.#revision) return false
          this.#revision += 1
          this.#bytes = history.encode()
          return true
        },
      },
    }
  }

  run(given: readonly NewRecord[], environment = routes()) {
    return run({ given: [write.mark('NOOP', t0), ...given], environment, own: { columns: this.columns } })
  }
}

describe('a changed list of columns', () => {
  const given = [...orders(3), ...orders(2, ['id', 'note'])]

  test('is reported once, delivered, and kept with its offset', async () => {
    const kept = new Kept()
    const { summary, sent } = await kept.run([
      ...orders(3),
      write.ddl('shop.orders', 'ALTER TABLE orders', t0),
      ...orders(2, ['id', 'note']),
    ])
    assert.deepEqual(summary.drifts, [
      { table: 'shop.orders', offset: '5', added: 'note', lost: 'status', retyped: '' },
    ])
    assert.equal(sent.flat().length, 6)
    assert.deepEqual(
      kept.tables.get('shop.orders')?.versions.map(({ version, since }) => [version, since.offset]),
      [
        [1, 1n],
        [2, 5n],
      ],
    )
    kept.coldStart()
    assert.deepEqual((await kept.run(orders(2, ['id', 'note']))).summary.drifts, [])
    assert.deepEqual((await kept.run(orders(2, ['note', 'id']))).summary.drifts, [])
  })

  test('is noticed within 10,000 records if the stream has no statements', async () => {
    const { summary } = await new Kept().run([...orders(1), ...orders(10_001, ['id', 'note'])])
    assert.deepEqual(
      summary.drifts.map(({ offset }) => offset),
      ['10001'],
    )
  })

  test('is noticed in a later run, by a warm process too', async () => {
    const kept = new Kept()
    await kept.run(orders(2))
    assert.deepEqual((await kept.run([order(['id', 'status'], 3)])).summary.drifts, [
      {
        table: 'shop.orders',
        offset: '1',
        added: '',
        lost: '',
        retyped: 'id (253 to 3), status (253 to 3)',
      },
    ])
  })

  test('of tables that one function handles is reported for each, and no table without a handler is looked at', async () => {
    const kept = new Kept()
    const tables = ['shop.orders_1', 'shop.orders_2', 'shop.nobody']
    const environment = { ROUTES: '{"shop.orders_*":"orders"}' }
    await kept.run(
      tables.map((table) => order(['id'], 8, table)),
      environment,
    )
    const { summary } = await kept.run(
      tables.map((table) => order(['id', 'x'], 8, table)),
      environment,
    )
    assert.deepEqual(
      summary.drifts.map(({ table }) => table),
      tables.slice(0, 2),
    )
    assert.deepEqual([...kept.tables.keys()], tables.slice(0, 2))
  })

  test('contains no value of a row', async () => {
    const kept = new Kept()
    const { summary } = await kept.run([...orders(1), write.ddl(null, 'x', t0), ...orders(1, ['id', 'note'])])
    assert.equal(summary.drifts.length, 1)
    assert.doesNotMatch(inspect([summary, kept.tables], { depth: null }), /secret/)
  })

  test('is not looked for with onDrift ignore', async () => {
    const kept = new Kept()
    const { summary } = await kept.run(given, routes('ignore'))
    assert.deepEqual([summary.drifts, kept.reads, kept.writes], [[], 0, 0])
  })
})

describe('with onDrift halt', () => {
  const given = [...orders(3), ...orders(2, ['id', 'note'])]

  test('the stream halts before the first such change, although no statement announced it', async () => {
    const kept = new Kept()
    const { thrown, sent, item, summary } = await kept.run(given, routes('halt'))
    assert.deepEqual(
      [codeOf(thrown), haltCode(item), item?.offset],
      ['COLUMNS_CHANGED', 'COLUMNS_CHANGED', 4n],
    )
    assert.deepEqual(sent.flat(), [1n, 2n, 3n])
    assert.match(
      String(thrown),
      /columns of shop\.orders differ from offset 4 on \(new: note; lost: status\).*halts before that change/,
    )
    assert.deepEqual([summary.halted, summary.drifts], ['COLUMNS_CHANGED', []])
  })

  for (const [process, isCold] of [
    ['the same process', false],
    ['another process', true],
  ] as const) {
    test(`the halt is the notice: after it, ${process} passes that place`, async () => {
      const kept = new Kept()
      await kept.run(given, routes('halt'))
      if (isCold) kept.coldStart()
      const { thrown, sent } = await kept.run(given, routes('halt'))
      assert.deepEqual([thrown, sent.flat().length], [undefined, 5])
    })
  }

  test('a lost write of the columns for which the stream halted is repeated, so that it does not halt for them again', async () => {
    const kept = new Kept()
    kept.lost = 2
    assert.equal(codeOf((await kept.run(given, routes('halt'))).thrown), 'COLUMNS_CHANGED')
    kept.coldStart()
    const { thrown, sent } = await kept.run(given, routes('halt'))
    assert.deepEqual([thrown, sent.flat().length], [undefined, 5])
  })

  test('a run that ends before it has stored the halt leaves the drift to the next one', async () => {
    const kept = new Kept()
    const store = (one: { halt: unknown }) => {
      one.halt = async () => {
        throw failure('LEASE_LOST')
      }
    }
    const { thrown, summary } = await run({
      given: [write.mark('NOOP', t0), ...given],
      environment: routes('halt'),
      own: { columns: kept.columns },
      store,
    })
    assert.deepEqual([thrown, summary.ended, kept.writes], [undefined, 'lease-lost', 0])
    assert.equal(codeOf((await kept.run(given, routes('halt'))).thrown), 'COLUMNS_CHANGED')
  })

  test('nothing of the table is delivered while its columns cannot be read', async () => {
    const kept = new Kept()
    kept.fault = failure('CHECKPOINT_TABLE_UNAVAILABLE')
    const { thrown, sent, item } = await kept.run(given, routes('halt'))
    assert.deepEqual([codeOf(thrown), sent, item?.state], ['CHECKPOINT_TABLE_UNAVAILABLE', [], 'RUNNING'])
    kept.fault = null
    assert.equal(codeOf((await kept.run(given, routes('halt'))).thrown), 'COLUMNS_CHANGED')
  })

  test('another table of the stream is only reported', async () => {
    const kept = new Kept()
    const environment = routes('halt', { 'shop.items': 'items' })
    const items = (columns: readonly string[]) => [order(columns, 253, 'shop.items')]
    await kept.run([...orders(1), ...items(['id'])], environment)
    const { thrown, summary } = await kept.run([...orders(1), ...items(['id', 'x'])], environment)
    assert.deepEqual([thrown, summary.drifts.length], [undefined, 1])
  })
})

describe('the stored columns', () => {
  test('are not asked for by a warm process while no list changes', async () => {
    const kept = new Kept()
    await kept.run(orders(3))
    assert.deepEqual([kept.reads, kept.writes], [1, 1])
    await kept.run(orders(3))
    assert.deepEqual([kept.reads, kept.writes], [1, 1])
    kept.coldStart()
    await kept.run(orders(3))
    assert.deepEqual([kept.reads, kept.writes], [2, 1])
  })

  test('are not asked for by a run that brings no row', async () => {
    const kept = new Kept()
    await kept.run([write.mark('HEARTBEAT', t0), write.mark('HEARTBEAT', t0)])
    assert.deepEqual([kept.reads, kept.writes], [0, 0])
  })

  test('that cannot be read or written stop no delivery, and the drift is reported later', async () => {
    const kept = new Kept()
    await kept.run(orders(1))
    kept.coldStart()
    kept.fault = failure('CHECKPOINT_TABLE_UNAVAILABLE')
    const changed = orders(2, ['id', 'note'])
    const { thrown, sent, summary } = await kept.run(changed)
    assert.deepEqual([thrown, sent.flat().length, summary.drifts], [undefined, 2, []])
    kept.fault = null
    assert.equal((await kept.run(changed)).summary.drifts.length, 1)
    assert.equal((await kept.run(changed)).summary.drifts.length, 0)
  })

  for (const request of ['read', 'write'] as const) {
    test(`that DynamoDB does not ${request} in time hold the run for three seconds at most`, async () => {
      const { columns } = new Kept()
      const silent = { ...columns, store: { ...columns.store, [request]: () => new Promise(() => {}) } }
      const given = [write.mark('NOOP', t0), ...orders(2)]
      const { thrown, sent, tookMs } = await run({ given, environment: routes(), own: { columns: silent } })
      assert.deepEqual([thrown, sent.flat().length], [undefined, 2])
      assert.ok(tookMs >= 3_000 && tookMs < 5_000, `${tookMs}`)
    })
  }

  test('that a run could not write are written by the next one', async () => {
    const kept = new Kept()
    const { columns } = kept
    const refuses = { ...columns, store: { ...columns.store, write: async () => false } }
    const given = [write.mark('NOOP', t0), ...orders(1)]
    await run({ given, environment: routes(), own: { columns: refuses } })
    assert.equal(kept.tables.size, 0)
    await kept.run(orders(1))
    assert.equal(kept.tables.size, 1)
  })
})
