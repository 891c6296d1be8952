import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { namePatterns } from '../../infra/invoke-patterns.ts'
import { seededRuns } from '../rig/property.ts'

const prefix = 'shop-prod-'
const others = ['poller', 'recovery']

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}

function bytes(patterns: readonly string[]): number {
  return JSON.stringify(
    patterns.map(
      (pattern) => `arn:aws-us-gov:lambda:ap-northeast-1:123456789012:function:${prefix}${pattern}`,
    ),
  ).length
}

describe('the functions that the poller may invoke', () => {
  test('are named one by one while their names fit', () => {
    const names = Array.from({ length: 50 }, (_, index) => `customer_order_details_${index}`)
    assert.deepEqual(namePatterns(names, others, prefix), names.toSorted())
    assert.deepEqual(namePatterns([], others, prefix), [])
  })

  test('become the narrowest patterns that fit, and a name that shares no beginning stays as it is', () => {
    const names = [
      ...Array.from({ length: 100 }, (_, index) => `orders_archive_${index}`),
      ...Array.from({ length: 100 }, (_, index) => `invoices_${index}`),
      'payments',
    ]
    const patterns = namePatterns(names, others, prefix)
    assert.ok(bytes(patterns) <= 6_002, String(bytes(patterns)))
    assert.ok(patterns.includes('orders_archive_1*'))
    assert.ok(patterns.includes('payments'))
    assert.ok(patterns.every((pattern) => /^(orders_archive_\d|invoices_\d|payments)/.test(pattern)))
  })

  test('never include poller and recovery, even if many names begin as theirs do', () => {
    const names = Array.from({ length: 400 }, (_, index) => `${index % 2 ? 'pol' : 're'}${index}x`)
    const patterns = namePatterns([...names, 'poll', 'pollers', 'recover', 'recovery-log'], others, prefix)
    assert.ok(bytes(patterns) <= 6_002)
    for (const other of others) assert.ok(!patterns.some((pattern) => matches(pattern, other)), other)
    for (const name of ['poll', 'pollers', 'recover', 'recovery-log', 'pol1x', 're398x'])
      assert.ok(
        patterns.some((pattern) => matches(pattern, name)),
        name,
      )
  })

  const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,20}$/).filter((text) => !others.includes(text))
  test('are all matched, and poller and recovery are not, for any names', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { maxLength: 120 }),
        fc.integer({ min: 100, max: 9_000 }),
        (names, most) => {
          const patterns = namePatterns(names, others, prefix, most)
          for (const one of names) assert.ok(patterns.some((pattern) => matches(pattern, one)))
          for (const other of others) assert.ok(!patterns.some((pattern) => matches(pattern, other)))
        },
      ),
      seededRuns(200),
    )
  })
})
