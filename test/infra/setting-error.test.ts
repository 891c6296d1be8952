import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lineOf } from '../../infra/setting-error.ts'

const lines = `service: shop
custom:
  # orders: in a comment

  tables:
    lines: { timeout: 5 }
    'orders':
      timeout: 1000
      statements:
        - { Effect: Allow }
  account:
    kmsKey: x
    timeout: 7
`.split('\n')

describe('the line of a setting in serverless.yml', () => {
  const cases = [
    [['custom', 'tables', 'orders', 'timeout'], 8, 'a key of a block'],
    [['custom', 'account', 'timeout'], 13, 'the key of this block and not of another'],
    [['custom', 'tables', 'orders'], 7, 'a key in quotes'],
    [['custom', 'tables', 'lines', 'timeout'], 6, 'the last key that has a line of its own'],
    [['custom', 'tables', 'orders', 'statements', '0', 'Effect'], 9, 'a list'],
    [['custom', 'alarms', 'lagSeconds'], null, 'a section that comes from elsewhere'],
    [['other', 'x'], null, 'no such section'],
  ] as const
  for (const [path, line, what] of cases) {
    test(`is ${line === null ? 'unknown' : 'that of'} ${what}`, () => assert.equal(lineOf(lines, path), line))
  }
})
