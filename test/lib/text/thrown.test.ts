import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { asDtsError, DtsError, isDtsError } from '../../../lib/errors.ts'
import { describeThrown, messageOf, nameOf, readableError, reasonOf } from '../../../lib/text/thrown.ts'
import { hostileValues, revokedProxy } from '../handler/define-table/hostile-values.ts'

describe('any thrown value', () => {
  for (const { reason, make, says } of hostileValues) {
    test(`${reason}: is described and named without an exception`, () => {
      const described = JSON.stringify(describeThrown(make()))
      assert.match(described, says)
      assert.equal(typeof nameOf(make()), 'string')
      assert.equal(typeof messageOf(make()), 'string')
      assert.equal(typeof reasonOf(make()), 'string')
      assert.equal(isDtsError(make()), false)
      const error = asDtsError(make(), 'HANDLER_FAILED', true)
      assert.equal(error.code, 'HANDLER_FAILED')
    })

    test(`${reason}: becomes an error that is readable like any other`, () => {
      const error = readableError(make())
      if (!(error instanceof Error)) {
        assert.ok(Object(error) !== error)
        return
      }
      for (const text of [error.name, error.message, error.stack]) assert.equal(typeof text, 'string')
      JSON.stringify(error)
      for (let cause: unknown = error, depth = 0; cause instanceof Error; cause = cause.cause)
        assert.ok(depth++ < 9)
    })
  }

  test('an ordinary error stays unchanged, and is described with its cause and properties', () => {
    const cause = new RangeError('too far')
    const error = Object.assign(new TypeError('no', { cause }), { code: 'E1', place: { offset: 7 } })
    assert.equal(readableError(error), error)
    const { name, message, stack, cause: described, properties } = describeThrown(error)
    assert.deepEqual(
      [name, message, described?.name, described?.message],
      ['TypeError', 'no', 'RangeError', 'too far'],
    )
    assert.match(stack ?? '', /thrown\.test/)
    assert.deepEqual(properties, { code: 'E1', place: '{ offset: 7 }' })
  })

  test('each member of an AggregateError is described', () => {
    const { errors } = describeThrown(new AggregateError([new Error('first'), 'second'], 'both'))
    assert.deepEqual(
      errors?.map(({ name, message }) => [name, message]),
      [
        ['Error', 'first'],
        ['string', 'second'],
      ],
    )
  })

  test('two errors that are each other’s cause are described once each', () => {
    const [first, second] = [new Error('first'), new Error('second')]
    first.cause = second
    second.cause = first
    const described = describeThrown(first)
    assert.deepEqual(
      [described.message, described.cause?.message, described.cause?.cause],
      ['first', 'second', { name: 'Error', message: 'first' }],
    )
  })

  test('an object that only looks like a DtsError does not count as one', () => {
    const empty = Object.create(DtsError.prototype)
    assert.equal(isDtsError(empty), false)
    const foreign = Object.assign(new DtsError('DATA_GAP', 'm', { retryable: false }), {
      code: 'NO_SUCH_CODE',
    })
    assert.equal(isDtsError(foreign), false)
    assert.equal(isDtsError(revokedProxy()), false)
    assert.equal(isDtsError(new DtsError('DATA_GAP', 'm', { retryable: false })), true)
  })

  test('a text of megabytes is cut to fit into a log line', () => {
    const long = 'x'.repeat(5_000_000)
    const error = Object.assign(new Error(long, { cause: long }), {
      name: long,
      code: long,
      list: [long, long],
    })
    assert.ok(JSON.stringify(describeThrown(error)).length < 200_000)
  })
})
