import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Failed } from '../../../../infra/local/observations.ts'
import { Failures } from '../../../../infra/local/page/failures.ts'
import type { ShownLetter } from '../../../../infra/page/messages.ts'

const failed = (offset: number, place: string | null = 'functions/tables/orders.ts:9:7'): Failed => ({
  kind: 'failed',
  worker: 1,
  function: 'dev-orders',
  table: 'shop.orders',
  operation: 'INSERT',
  key: 'id=7',
  offset: String(offset),
  generation: 3,
  error: { name: 'TypeError', message: `no ${offset}`, place },
})

const letter = (offset: number, generation = 3): ShownLetter => ({
  message: `m${offset}`,
  function: 'dev-orders',
  table: 'shop.orders',
  offset: String(offset),
  generation,
  attempts: 5,
  error: 'HANDLER_FAILED: see the log',
  operation: 'INSERT',
  key: 'id=7',
  at: 0,
  columns: [],
  text: null,
  note: null,
})

test('a letter says what its handler threw, with the line, if the local stack saw that', () => {
  const failures = new Failures()
  failures.observe([failed(4), failed(5, null)])
  const letters = [letter(4), letter(5), letter(6), letter(4, 2)]
  assert.deepEqual(
    failures.explain({ letters, waiting: 4 }).letters.map(({ error }) => error),
    [
      'TypeError: no 4 at functions/tables/orders.ts:9:7',
      'TypeError: no 5',
      'HANDLER_FAILED: see the log',
      'HANDLER_FAILED: see the log',
    ],
  )
})

test('only the last thousand failures are kept', () => {
  const failures = new Failures()
  failures.observe(Array.from({ length: 1_001 }, (_, offset) => failed(offset)))
  const { letters } = failures.explain({ letters: [letter(0), letter(1)], waiting: 2 })
  assert.deepEqual(
    letters.map(({ error }) => error.slice(0, 14)),
    ['HANDLER_FAILED', 'TypeError: no '],
  )
})
