import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { asDtsError, DtsError, errorCodes } from '../../lib/errors.ts'

test('an error leads with its code and keeps its cause', () => {
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

test('anything thrown becomes an error with a code; one that has a code keeps it', () => {
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

test('each code appears once, and a comment above it says what it means', () => {
  assert.equal(new Set(errorCodes).size, errorCodes.length)
  const source = readFileSync(fileURLToPath(new URL('../../lib/error-codes.ts', import.meta.url)), 'utf8')
  for (const code of errorCodes) {
    assert.match(source, new RegExp(`\\*/\\n  '${code}',`), code)
  }
})
