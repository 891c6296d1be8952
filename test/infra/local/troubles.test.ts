import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Failed, Handled, Observation, Started } from '../../../infra/local/observations.ts'
import { Troubles, troubleLines } from '../../../infra/local/troubles.ts'

const change = {
  worker: 3,
  function: 'orders',
  table: 'shop.orders',
  operation: 'UPDATE',
  key: 'id=7',
  offset: '12',
  generation: 5,
}
const error = { name: 'TypeError', message: 'no cents', place: 'functions/tables/orders.ts:12:7' }
const started: Started = { kind: 'started', ...change, until: 1_000 }
const failed: Failed = { kind: 'failed', ...change, error }
const handled: Handled = { kind: 'handled', ...change, id: '1', replay: false }

function textOf(troubles: Troubles): string {
  return troubles.current.flatMap(troubleLines).join(' ')
}

describe('the troubles of the local stack', () => {
  test('a failed change is told with its error, the line of the handler, table, operation, key and offset', () => {
    assert.deepEqual(new Troubles().observe([started, failed]), [
      'orders failed at functions/tables/orders.ts:12:7 (UPDATE of shop.orders id=7 at offset 12, attempt 1): TypeError: no cents',
    ])
  })

  test('the same failure is told once, and its attempts are counted', () => {
    const troubles = new Troubles()
    troubles.observe([started, failed])
    assert.deepEqual(troubles.observe([started, failed, started, failed]), [])
    assert.match(textOf(troubles), /attempt 3\):/)
  })

  test('another error of the same change is told again', () => {
    const troubles = new Troubles()
    troubles.observe([failed])
    const other = { ...failed, error: { ...error, place: 'functions/tables/orders.ts:20:1' } }
    assert.match(String(troubles.observe([other])), /orders\.ts:20:1/)
  })

  const ends: [(troubles: Troubles) => unknown, string][] = [
    [(troubles) => troubles.observe([handled]), 'its handler takes it'],
    [(troubles) => troubles.passed(5, 13n), 'a commit passes it'],
    [(troubles) => troubles.passed(6, 2n), 'a reset moves the stream to another log'],
  ]
  for (const [end, reason] of ends) {
    test(`a change is in trouble until ${reason}`, () => {
      const troubles = new Troubles()
      troubles.observe([failed])
      troubles.passed(5, 12n)
      assert.equal(troubles.current.length, 1)
      end(troubles)
      assert.deepEqual(troubles.current, [])
    })
  }

  test('a handler that is slower than its timeout is told once its time is over', () => {
    const troubles = new Troubles()
    troubles.observe([started])
    assert.deepEqual(troubles.overdue(1_000), [])
    assert.match(
      String(troubles.overdue(1_001)),
      /^orders failed \(UPDATE of shop\.orders id=7 at offset 12, attempt 1\): .*timeout/,
    )
    assert.deepEqual(troubles.overdue(5_000), [])
    assert.match(textOf(troubles), /attempt 1\):/)
  })

  const ended: Observation[] = [handled, failed]
  for (const observation of ended) {
    test(`a handler whose change is ${observation.kind} is not slow`, () => {
      const troubles = new Troubles()
      troubles.observe([started, observation])
      assert.deepEqual(troubles.overdue(5_000), [])
    })
  }

  test('an error that no code caught is told with its line', () => {
    const crashed: Observation = { kind: 'crashed', worker: 3, function: 'orders', error }
    assert.match(
      String(new Troubles().observe([crashed])),
      /^orders: no code caught TypeError: no cents \(at functions\/tables\/orders\.ts:12:7\)\..*await every promise/,
    )
  })
})
