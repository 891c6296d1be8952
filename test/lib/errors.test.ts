import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCodes } from '../../lib/error-codes.ts'
import { asDtsError, DtsError } from '../../lib/errors.ts'

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

test('every error code explains itself in whole sentences', () => {
  for (const [code, { section, ...texts }] of Object.entries(errorCodes)) {
    assert.match(code, /^[A-Z]+(_[A-Z]+)*$/)
    assert.notEqual(section, '')
    for (const [part, text] of Object.entries(texts)) assert.match(text, /^\S.*[.`]$/, `${code}.${part}`)
  }
})
