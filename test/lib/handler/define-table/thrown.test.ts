import '../../../rig/captured-log.ts'
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import * as z from 'zod'
import { DtsError } from '../../../../lib/errors.ts'
import { jsonColumn } from '../../../../lib/handler/columns/index.ts'
import { defineTable } from '../../../../lib/handler/define-table.ts'
import { takeErrorLog } from '../../../rig/captured-log.ts'
import { hostileValues } from './hostile-values.ts'
import { batchOf, functionContext, insertsOf, row, send } from './support.ts'

const idOf = (change: object) => ('after' in change ? (change.after as { id: bigint }).id : 0n)

describe('a value that breaks code which reads errors', () => {
  beforeEach(() => void takeErrorLog())

  for (const { reason, make, says } of hostileValues) {
    test(`${reason}, thrown by onChange: fails its own change only, and is in the log`, async () => {
      const tried: bigint[] = []
      const handler = defineTable({
        table: 'shop.orders',
        row,
        onChange(change) {
          tried.push(idOf(change))
          if (idOf(change) === 3n) throw make()
        },
      })
      const answer = await send(handler, batchOf(insertsOf(1, 2, 3, 4)))
      assert.deepEqual([answer.acknowledgedThrough, answer.failure?.offset], ['101', '102'])
      assert.match(answer.failure?.message ?? '', /was thrown; the function's own log has its message$/)
      assert.deepEqual(tried, [1n, 2n, 3n])
      const log = takeErrorLog()
      assert.match(log, /"offset": "102"/)
      assert.match(log, says)
    })

    test(`${reason}, thrown by onBatch or given with failedAt: fails its own change or run only`, async () => {
      const throwing = defineTable({
        table: 'shop.orders',
        row,
        onBatch() {
          throw make()
        },
      })
      const whole = await send(throwing, batchOf(insertsOf(1, 2)))
      assert.deepEqual([whole.acknowledgedThrough, whole.failure?.offset], [null, '100'])
      assert.match(takeErrorLog(), says)
      const stopping = defineTable({
        table: 'shop.orders',
        row,
        onBatch: () => ({ failedAt: 1, error: make() }),
      })
      const part = await send(stopping, batchOf(insertsOf(1, 2)))
      assert.deepEqual([part.acknowledgedThrough, part.failure?.offset], ['100', '101'])
    })

    test(`${reason}, thrown by a check of the row: fails its own change only`, async () => {
      const check = (id: bigint) => {
        if (id === 3n) throw make()
        return id
      }
      const handler = defineTable({
        table: 'shop.orders',
        row: z.object({ id: z.bigint().transform(check) }),
        onChange() {},
      })
      const answer = await send(handler, batchOf(insertsOf(1, 2, 3, 4)))
      assert.deepEqual([answer.acknowledgedThrough, answer.failure?.offset], ['101', '102'])
      assert.match(takeErrorLog(), says)
    })

    test(`${reason}, thrown for a change sent by hand: the caller gets a readable error`, async () => {
      const handler = defineTable({
        table: 'shop.orders',
        row,
        onChange() {
          throw make()
        },
      })
      const byHand = {
        operation: 'INSERT',
        table: 'shop.orders',
        after: { id: { $bigint: '1' }, status: 'new' },
      }
      const thrown = await handler(byHand, functionContext()).then(
        () => assert.fail('it was thrown'),
        (error: unknown) => error,
      )
      assertReadable(thrown)
      assert.match(takeErrorLog(), says)
    })

    for (const hook of ['before', 'after', 'onError'] as const) {
      test(`${reason}, thrown by middleware (${hook}): the invocation fails with a readable error`, async () => {
        const handler = defineTable({
          table: 'shop.orders',
          row,
          onChange() {},
        }).use({
          ...(hook === 'onError' ? { before: () => Promise.reject(new Error('first')) } : {}),
          [hook]: () => {
            throw make()
          },
        })
        const thrown = await handler(batchOf(insertsOf(1)), functionContext()).then(
          () => assert.fail('it was thrown'),
          (error: unknown) => error,
        )
        assertReadable(thrown)
      })
    }
  }

  test('an error of middleware that Lambda could not read is in the log with its readable parts', async () => {
    const cyclic = new RangeError('round and round')
    cyclic.cause = cyclic
    const handler = defineTable({ table: 'shop.orders', row, onChange() {} }).use({
      before: () => {
        throw cyclic
      },
    })
    await assert.rejects(async () => await handler(batchOf(insertsOf(1)), functionContext()), {
      name: 'RangeError',
      message: 'round and round',
    })
    assert.match(takeErrorLog(), /The invocation failed.*round and round/)
  })

  test('an ordinary error of middleware reaches the caller unchanged', async () => {
    const ordinary = new RangeError('plain')
    const handler = defineTable({ table: 'shop.orders', row, onChange() {} }).use({
      before: () => {
        throw ordinary
      },
    })
    await assert.rejects(
      async () => await handler(batchOf(insertsOf(1)), functionContext()),
      (thrown) => {
        assert.equal(thrown, ordinary)
        return true
      },
    )
  })

  test('a DtsError whose fields were replaced is reported like any other error', async () => {
    for (const fields of [{ code: 'NO_SUCH_CODE' }, { message: 7 }, { code: undefined }]) {
      const handler = defineTable({
        table: 'shop.orders',
        row,
        onChange() {
          throw Object.assign(new DtsError('ROW_INVALID', 'm', { retryable: false }), fields)
        },
      })
      const { failure } = await send(handler, batchOf(insertsOf(1)))
      assert.equal(failure?.code, 'HANDLER_FAILED')
    }
  })

  test('an error thrown by the schema of a document fails its own change only', async () => {
    const schema = z.unknown().transform(() => {
      throw Object.create(null)
    })
    const handler = defineTable({
      table: 'shop.orders',
      row: z.object({
        status: z
          .string()
          .transform(() => '{}')
          .pipe(jsonColumn(schema)),
      }),
      onChange: () => assert.fail('not as declared'),
    })
    const { acknowledgedThrough, failure } = await send(handler, batchOf(insertsOf(1, 2)))
    assert.deepEqual([acknowledgedThrough, failure?.offset], [null, '100'])
  })
})

/** Reads an error as Lambda's runtime does: name, message, stack, and as JSON. */
function assertReadable(thrown: unknown): void {
  if (Object(thrown) !== thrown) {
    assert.notEqual(typeof thrown, 'symbol')
    return
  }
  assert.ok(thrown instanceof Error)
  for (const text of [thrown.name, thrown.message, thrown.stack]) assert.equal(typeof text, 'string')
  JSON.stringify(thrown)
}
