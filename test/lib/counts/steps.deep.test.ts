import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { steps as limits } from '../../../bench/cases/columns.ts'
import { decodeAll } from '../../../bench/cases/in-process.ts'
import { makeRecords } from '../../../bench/ground/records.ts'
import { ColumnHistory } from '../../../lib/checkpoint/column-history.ts'
import { JudgedLists } from '../../../lib/dispatch/column-looks.ts'
import { orderKey } from '../../../lib/dispatch/order-key.ts'
import { readHeader } from '../../../lib/dts/header.ts'
import { readBatches } from '../../../lib/kafka/batch.ts'
import { encodeBatch } from '../../support/kafkajs-batches.ts'
import { deliver } from './deliver.ts'
import { stepsOf } from './steps.ts'

const asked: readonly string[] = ['id', 'status', 'total']
const count = 500
const records = makeRecords({ tables: 1 }, count)

describe('the steps of the code for one record of twelve columns do not grow', () => {
  const texts = makeRecords({ tables: 1, key: 'ascii' }, count)
  const batch = encodeBatch({ baseOffset: 0n, values: records })
  // Measured, and a tenth more. If a change needs more on purpose, measure it with `npm run bench` and raise its line.
  const budgets: readonly [part: string, most: number, records: number, work: () => unknown][] = [
    ['its part of a record batch', 685, count, async () => readBatches(await batch, 0n)],
    ['its header', 60, count, () => records.forEach((bytes) => void readHeader(bytes))],
    ['3 of 12 columns', 411, count, () => decodeAll(records, asked)],
    [
      'the lane of its key of text',
      544,
      count,
      () => texts.forEach((bytes) => void orderKey(bytes, readHeader(bytes))),
    ],
    ['all columns', 624, count, () => decodeAll(records)],
    [
      'the way from the broker to the acknowledgement',
      144,
      4_000,
      () => deliver({ tables: 1, records: 4_000 }),
    ],
  ]
  for (const [part, most, of, work] of budgets) {
    test(`${part}: at most ${most}`, async () => {
      const steps = (await stepsOf(work)) / of
      assert.ok(steps > 0 && steps <= most, `${steps}`)
    })
  }
})

test('lanes cost the changes of a table without a key at most 25 steps each', async () => {
  const work = { tables: 1, records: 20_000, key: 'none' } as const
  const one = (await stepsOf(() => deliver(work))) / work.records
  const eight = (await stepsOf(() => deliver({ ...work, concurrency: 8 }))) / work.records
  assert.ok(eight > one && eight <= one + 25, `${one}, then ${eight}`)
})

describe('a poller that watches columns needs no more steps for a record', () => {
  const of = 20_000
  // It looks once at each table in 10,000 records.
  for (const tables of [1, 10]) {
    test(`of ${tables} tables in turn: at most one more`, async () => {
      const columns = {
        judged: new JudgedLists(),
        store: { read: async () => ({ history: new ColumnHistory(), revision: 0 }), write: async () => true },
      }
      const without = (await stepsOf(() => deliver({ tables, records: of }))) / of
      const watching = (await stepsOf(() => deliver({ tables, records: of, columns }))) / of
      assert.ok(watching > without && watching <= without + 1, `${without}, then ${watching}`)
    })
  }
})

describe('the steps of the code have no step at a limit of the decoder', () => {
  for (const { below, above, records: make, asked: columns } of limits) {
    test(`${above}: at most 1.5 times those of ${below}`, async () => {
      const [one, other] = [make(false), make(true)]
      const before = (await stepsOf(() => decodeAll(one, columns))) / one.length
      const after = (await stepsOf(() => decodeAll(other, columns))) / other.length
      assert.ok(after <= before * 1.5, `${before}, then ${after}`)
    })
  }
})

describe('a large record', () => {
  for (const noteBytes of [33_000, 660_000]) {
    test(`with ${noteBytes} bytes of text needs no more steps for a byte than a small one`, async () => {
      const perByte = async (given: readonly Buffer[]) =>
        (await stepsOf(() => decodeAll(given))) / given.reduce((sum, { length }) => sum + length, 0)
      const small = await perByte(records.slice(0, 10))
      const large = await perByte(makeRecords({ tables: 1, noteBytes }, 10))
      assert.ok(large <= small * 1.2, `${small}, then ${large}`)
    })
  }
})
