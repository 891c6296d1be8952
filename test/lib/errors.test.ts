import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCodes } from '../../lib/error-codes.ts'
import { asDtsError, DtsError, loggedError } from '../../lib/errors.ts'

test('an error begins with its code and keeps facts and cause', () => {
  const cause = new Error('socket closed')
  const error = new DtsError('BROKER_FAILED', 'what to do', {
    retryable: true,
    facts: { broker: 'b' },
    cause,
  })
  assert.deepEqual([error.name, error.code, error.retryable], ['BROKER_FAILED', 'BROKER_FAILED', true])
  assert.deepEqual([error.facts, error.cause], [{ broker: 'b' }, cause])
  assert.match(error.stack ?? '', /^BROKER_FAILED: what to do/)
  const bare = new DtsError('DATA_GAP', 'm', { retryable: false })
  assert.deepEqual([bare.facts, 'cause' in bare], [{}, false])
})

test('every thrown value becomes an error with a code, and a DtsError keeps its own code', () => {
  const own = new DtsError('DATA_GAP', 'm', { retryable: false })
  assert.equal(asDtsError(own, 'HANDLER_FAILED', true), own)
  const cases: [thrown: unknown, message: string][] = [
    [new TypeError('no such column'), 'no such column'],
    ['text', 'text'],
    [null, 'null'],
    [undefined, 'undefined'],
  ]
  for (const [thrown, message] of cases) {
    const error = asDtsError(thrown, 'HANDLER_FAILED', true)
    assert.deepEqual([error.code, error.message, error.retryable], ['HANDLER_FAILED', message, true])
    assert.equal(error.cause, thrown)
  }
})

test('a logged error has code, reason, facts and causes', () => {
  const cause = Object.assign(new Error('row values'), { code: 'ECONNRESET' })
  const facts = { table: 'shop.\u001b[2J' }
  const error = new DtsError('BROKER_FAILED', 'It failed.', { retryable: true, facts, cause })
  assert.deepEqual(loggedError(error), {
    code: 'BROKER_FAILED',
    reason: 'It failed.',
    retryable: true,
    facts: { table: 'shop.\\u001b[2J' },
    cause: { name: 'Error', code: 'ECONNRESET' },
  })
})

test('any thrown value can be logged, and none of its text is, except its name', () => {
  const circular = new Error('row values')
  circular.cause = circular
  const hostile = new Proxy(
    {},
    {
      get() {
        throw new Error('row values')
      },
    },
  )
  const oddCode = new Error('x', { cause: Object.assign(new Error('row values'), { code: 'row values' }) })
  const cases: [thrown: unknown, code: string][] = [
    [circular, 'Error'],
    [hostile, 'object'],
    [oddCode, 'Error'],
    [null, 'object'],
    [undefined, 'undefined'],
    ['row values', 'string'],
  ]
  for (const [thrown, code] of cases) {
    const logged = loggedError(thrown)
    assert.equal(logged.code, code)
    assert.doesNotMatch(JSON.stringify(logged), /row values/)
  }
})

test('every error code explains itself in whole sentences', () => {
  for (const [code, { section, ...texts }] of Object.entries(errorCodes)) {
    assert.match(code, /^[A-Z]+(_[A-Z]+)*$/)
    assert.notEqual(section, '')
    for (const [part, text] of Object.entries(texts)) assert.match(text, /^\S.*[.`]$/, `${code}.${part}`)
  }
})
