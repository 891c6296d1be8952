import assert from 'node:assert/strict'
import { test } from 'node:test'
import { declaredTables, problemsOf } from '../../../lib/dispatch/pattern.ts'

test('a declaration is sorted into patterns and exceptions, each once', () => {
  assert.deepEqual(declaredTables('shop.orders'), { patterns: ['shop.orders'], except: [] })
  assert.deepEqual(declaredTables(['shop.*', '!shop.tmp', 'erp.*', '!shop.tmp', 'shop.*']), {
    patterns: ['shop.*', 'erp.*'],
    except: ['shop.tmp'],
  })
})

const form = 'table must be database\\.table, database\\.schema\\.table or \\*'
const isNoName = (text: string) =>
  new RegExp(
    `^${form}, not ${JSON.stringify(text).replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')}; write .*\\(shop\\.\\*orders\\)$`,
  )

test('a declaration that says what it means has no problem', () => {
  for (const table of [
    'shop.orders',
    'db.public.orders',
    '*',
    'shop.my table',
    ['shop.*', '!shop.tmp'],
    ['shop.orders_*', 'erp.*', '!erp.*_bak'],
    ['*', '!shop.*'],
  ])
    assert.deepEqual(problemsOf(declaredTables(table)), [])
})

test('every problem of a declaration is named', () => {
  const cases: [table: string | readonly string[], problems: RegExp[]][] = [
    ['orders', [isNoName('orders')]],
    ['a.b.c.d', [isNoName('a.b.c.d')]],
    ['shop.', [isNoName('shop.')]],
    ['shop.orders ', [isNoName('shop.orders ')]],
    ['shop.or\nders', [isNoName('shop.or\nders')]],
    [
      ['shop.*', '!tmp', '!*'],
      [isNoName('!tmp'), isNoName('!*')],
    ],
    [['orders', '!shop.tmp'], [isNoName('orders')]],
    [[], [new RegExp(`^${form}$`)]],
    [['!shop.tmp'], [new RegExp(`^${form}$`)]],
    [['shop.*', 'crm.*', '!erp.tmp'], [/^!erp\.tmp leaves out what none of the handler's patterns match$/]],
    [['shop.orders', 'erp.*', '!shop.*'], [/^!shop\.\* leaves out all of shop\.orders$/]],
    [
      ['shop.*', '!erp.tmp', '!*.*'],
      [/^!erp\.tmp leaves out what none/, /^!\*\.\* leaves out all of shop\.\*$/],
    ],
  ]
  for (const [table, expected] of cases) {
    const problems = problemsOf(declaredTables(table))
    assert.equal(problems.length, expected.length, JSON.stringify([table, problems]))
    for (const [at, problem] of expected.entries()) assert.match(problems[at] ?? '', problem)
  }
})
