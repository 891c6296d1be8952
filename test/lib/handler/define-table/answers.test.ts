import '../../../rig/captured-log.ts'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineTable } from '../../../../lib/handler/define-table.ts'
import { takeErrorLog } from '../../../rig/captured-log.ts'
import { t0 } from '../../../support/records.ts'
import { batchOf, functionContext, insertsOf, row, send, write } from './support.ts'

/** For answers that the types of a handler refuse. JavaScript and casts allow them. */
type Returns = () => undefined

const rejections = (reason: unknown) => Promise.allSettled([Promise.resolve(1), Promise.reject(reason)])

class Result {
  readonly failedAt = 0
}

describe('the return value of onBatch', () => {
  const failures: [reason: string, make: () => unknown, message: RegExp][] = [
    [
      'the answer of an SQS handler',
      () => ({ batchItemFailures: [{ itemIdentifier: '1' }] }),
      /batchItemFailures is the answer of handlers of SQS/,
    ],
    [
      'the answer of an SQS handler without failures',
      () => ({ batchItemFailures: [] }),
      /an object with batchItemFailures/,
    ],
    ['an error', () => new TypeError('canary'), /returned an error \(TypeError\).*Throw an error/],
    ['a member `error`', () => ({ error: new Error('canary') }), /an object with error /],
    ['false', () => false, /returned false/],
    ['true', () => true, /returned true/],
    ['null', () => null, /returned null/],
    ['an empty object', () => ({}), /an empty object/],
    ['a number', () => 3, /returned a number/],
    ['NaN', () => Number.NaN, /returned NaN/],
    ['a text', () => 'canary', /returned a string/],
    ['an empty array', () => [], /an array of 0/],
    [
      'an array of promises',
      () => [Promise.resolve(), Promise.reject(new Error('canary'))],
      /an array of 2, with promises.*await Promise\.all/,
    ],
    [
      'the result of allSettled, with a rejection',
      () => rejections('canary'),
      /an array of 2, with rejections/,
    ],
    ['the result of allSettled, all fulfilled', () => Promise.allSettled([1]), /an array of 1/],
    ['a misspelt key', () => ({ failedat: 1 }), /an object with 1 other key/],
    ['a key beside failedAt', () => ({ failedAt: 1, canary: 1 }), /failedAt: 1, 1 other key/],
    ['failedAt below the run', () => ({ failedAt: -1 }), /failedAt: -1/],
    ['failedAt above the run', () => ({ failedAt: 3 }), /failedAt: 3 for a run of 3 changes/],
    ['failedAt null', () => ({ failedAt: null }), /failedAt: null/],
    ['failedAt undefined', () => ({ failedAt: undefined }), /failedAt: undefined/],
    ['failedAt NaN', () => ({ failedAt: Number.NaN }), /failedAt: NaN/],
    ['failedAt 1.5', () => ({ failedAt: 1.5 }), /failedAt: 1\.5/],
    ['failedAt a bigint', () => ({ failedAt: 1n }), /failedAt: 1n \(a bigint\)/],
    ['failedAt a text', () => ({ failedAt: '1' }), /failedAt: a string/],
    ['failedAt an id of a row', () => ({ failedAt: 4_000_123_412_341_234 }), /failedAt: a number/],
    ['failedAt a symbol', () => ({ failedAt: Symbol('canary') }), /failedAt: a symbol/],
    ['a function', () => () => {}, /returned a function/],
    ['a generator', () => (function* () {})(), /an empty object/],
    ['a Map', () => new Map([['failedAt', 0]]), /an empty object/],
  ]
  for (const [reason, make, message] of failures) {
    test(`${reason}: fails the whole run, and the message names the value and the accepted answers`, async () => {
      const handler = defineTable({ table: 'shop.orders', row, onBatch: make as Returns })
      const { acknowledgedThrough, failure } = await send(handler, batchOf(insertsOf(1, 2, 3)))
      assert.deepEqual([acknowledgedThrough, failure?.offset, failure?.code], [null, '100', 'HANDLER_FAILED'])
      assert.match(failure?.message ?? '', message)
      assert.match(
        failure?.message ?? '',
        /Return nothing if the whole run is done\. Return \{ failedAt: index \}.*0 to 2/,
      )
      assert.doesNotMatch(JSON.stringify(failure), /canary/)
    })
  }

  test('undefined and a well-formed failedAt are accepted', async () => {
    const accepted: [make: () => unknown, through: string | null, failed: string | undefined][] = [
      [() => undefined, '102', undefined],
      [async () => undefined, '102', undefined],
      [() => ({ failedAt: 0 }), null, '100'],
      [() => ({ failedAt: 2 }), '101', '102'],
      [() => ({ failedAt: -0 }), null, '100'],
      [() => ({ failedAt: 1, error: undefined }), '100', '101'],
      [() => new Result(), null, '100'],
      [() => Object.create({ failedAt: 1 }), '100', '101'],
    ]
    for (const [make, through, failed] of accepted) {
      const handler = defineTable({ table: 'shop.orders', row, onBatch: make as Returns })
      const answer = await send(handler, batchOf(insertsOf(1, 2, 3)))
      assert.deepEqual([answer.acknowledgedThrough, answer.failure?.offset], [through, failed])
    }
  })

  test('the function’s log contains the returned value with its keys', async () => {
    takeErrorLog()
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onBatch: (() => ({ faildAt: 1 })) as unknown as Returns,
    })
    await send(handler, batchOf(insertsOf(1, 2)))
    assert.match(takeErrorLog(), /faildAt: 1/)
  })

  test('a run counts as failed only after the promises of a returned array have settled', async () => {
    let done = false
    const work = async () => {
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
      done = true
    }
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onBatch: (() => [work()]) as unknown as Returns,
    })
    await send(handler, batchOf(insertsOf(1)))
    assert.equal(done, true)
  })

  test('a change that is sent by hand fails in the same way', async () => {
    const handler = defineTable({ table: 'shop.orders', row, onBatch: (() => false) as unknown as Returns })
    const byHand = {
      operation: 'INSERT',
      table: 'shop.orders',
      after: { id: { $bigint: '1' }, status: 'new' },
    }
    await assert.rejects(handler(byHand, functionContext()), {
      code: 'HANDLER_FAILED',
      message: /returned false/,
    })
  })
})

describe('the return value of onChange and onDdl', () => {
  const send3 = async (make: () => unknown) => {
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onChange: (change) =>
        ('after' in change && change.after.id === 2n ? make() : undefined) as ReturnType<Returns>,
    })
    return await send(handler, batchOf(insertsOf(1, 2, 3)))
  }
  const sendDdl = async (make: () => unknown) => {
    const handler = defineTable({ table: 'shop.orders', row, onChange() {}, onDdl: make as Returns })
    const ddl = write.ddl('shop.orders', 'ALTER', t0).value
    return await send(handler, batchOf([...insertsOf(1), ddl, ...insertsOf(3)]))
  }

  const failures: [reason: string, make: () => unknown, message: RegExp][] = [
    ['an error', () => new TypeError('canary'), /^TypeError was thrown/],
    ['an error that a promise brings', async () => new RangeError('canary'), /^RangeError was thrown/],
    ['failedAt', () => ({ failedAt: 0 }), /returned an object with failedAt: 0, which means a failure/],
    ['batchItemFailures', () => ({ batchItemFailures: [] }), /returned an object with batchItemFailures/],
    [
      'the result of allSettled, with a rejection',
      () => rejections('canary'),
      /an array of 2, with rejections/,
    ],
    ['an array of promises', () => [Promise.resolve(1)], /An array of promises is not awaited/],
    ['an array with an error', () => ['a', new Error('canary')], /an array of 2, with errors/],
  ]
  for (const [reason, make, message] of failures) {
    test(`${reason}: fails the change, and the changes before it are done`, async () => {
      for (const answer of [await send3(make), await sendDdl(make)]) {
        assert.deepEqual([answer.acknowledgedThrough, answer.failure?.offset], ['100', '101'])
        assert.match(answer.failure?.message ?? '', message)
        assert.doesNotMatch(JSON.stringify(answer.failure), /canary/)
      }
    })
  }

  const answers: [reason: string, make: () => unknown][] = [
    ['nothing', () => undefined],
    ['what a client answers', () => ({ $metadata: { httpStatusCode: 200 }, Attributes: {} })],
    ['what a client answers, with a member named error', () => ({ error: null, rowCount: 1 })],
    ['null', () => null],
    ['false', () => false],
    ['a number', () => 1],
    ['a text', () => 'failedAt'],
    ['an array of answers', () => Promise.all([1, { ok: true }])],
    ['the result of allSettled, all fulfilled', () => Promise.allSettled([1])],
  ]
  for (const [reason, make] of answers) {
    test(`${reason}: counts as success`, async () => {
      for (const answer of [await send3(make), await sendDdl(make)]) {
        assert.deepEqual([answer.acknowledgedThrough, answer.failure], ['102', undefined])
      }
    })
  }
})
