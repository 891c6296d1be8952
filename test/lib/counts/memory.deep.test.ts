import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { deliver } from './deliver.ts'
import { bytesOf } from './memory.ts'

describe('the garbage of one record of twelve columns does not grow', () => {
  const records = 20_000
  // Measured, and a tenth more. If a change needs more on purpose, measure it with `npm run bench` and raise its line.
  const budgets: readonly [tables: number, most: number][] = [
    [1, 555],
    [200, 1_000],
  ]
  for (const [tables, most] of budgets) {
    test(`with ${tables} functions: at most ${most} bytes`, async () => {
      const bytes = (await bytesOf(() => deliver({ tables, records }))) / records
      assert.ok(bytes > 0 && bytes <= most, `${bytes}`)
    })
  }
})
