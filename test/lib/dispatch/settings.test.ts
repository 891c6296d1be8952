import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type DeliveryInput,
  defaultDelivery,
  deliverySchema,
  routeJson,
  routesSchema,
  toRoutes,
} from '../../../lib/dispatch/settings.ts'

const settings: DeliveryInput[] = [
  {},
  { attempts: 1 },
  { maxAgeSeconds: 86_400 },
  { onFailure: 'halt' },
  { batchSize: 10_000 },
  { batchBytes: 1_000 },
  { batchWindowSeconds: 30 },
  { concurrency: 32 },
  { operations: ['INSERT'] },
  { operations: ['INSERT', 'UPDATE', 'DELETE', 'INIT'] },
  { attempts: 9, maxAgeSeconds: 60, onFailure: 'halt', batchSize: 1, concurrency: 2, operations: ['INIT'] },
]

test('the declared settings of a table reach the poller unchanged through the environment variable', () => {
  const declared = settings.map((input, index) => [`shop.t${index}`, deliverySchema.parse(input)] as const)
  const text = JSON.stringify(
    Object.fromEntries(
      declared.map(([table, delivery], index) => [table, routeJson(`f-${index}`, delivery)]),
    ),
  )
  assert.deepEqual(
    toRoutes(routesSchema.parse(JSON.parse(text)), 'stack-'),
    Object.fromEntries(
      declared.map(([table, delivery], index) => [table, { ...delivery, functionName: `stack-f-${index}` }]),
    ),
  )
})

test('that a function gets whole transactions reaches the poller', () => {
  const declared = { 'shop.orders': routeJson('all', { ...defaultDelivery, transactions: true }) }
  const routes = toRoutes(routesSchema.parse(JSON.parse(JSON.stringify(declared))), '')
  assert.equal(routes['shop.orders']?.transactions, true)
})

test('a handler without settings has five attempts, and its changes then become dead letters', () => {
  assert.deepEqual(defaultDelivery, {
    attempts: 5,
    maxAgeSeconds: 3_600,
    onFailure: 'dead-letter',
    batchSize: 1_000,
    onDrift: 'warn',
    batchBytes: 4_300_000,
    batchWindowSeconds: 0,
    concurrency: 1,
  })
  assert.deepEqual(deliverySchema.parse({ onFailure: 'dead-letter' }), defaultDelivery)
})

test('the tables that a handler leaves out reach the poller, with and without other settings', () => {
  for (const except of [['shop.tmp'], ['shop.tmp', 'shop.*_bak']]) {
    const routes = {
      'shop.*': routeJson('orders', defaultDelivery, except),
      'erp.*': routeJson('erp', { ...defaultDelivery, attempts: 3 }, except),
    }
    assert.deepEqual(toRoutes(routesSchema.parse(JSON.parse(JSON.stringify(routes))), ''), {
      'shop.*': { ...defaultDelivery, except, functionName: 'orders' },
      'erp.*': { ...defaultDelivery, attempts: 3, except, functionName: 'erp' },
    })
  }
})

test('a route contains only settings that differ from the defaults, because the environment is small', () => {
  assert.equal(routeJson('orders', defaultDelivery), 'orders')
  assert.equal(routeJson('orders', { ...defaultDelivery, operations: undefined }), 'orders')
  assert.deepEqual(routeJson('orders', { ...defaultDelivery, attempts: 3 }), {
    attempts: 3,
    function: 'orders',
  })
})

test('invalid routes are refused', () => {
  const cases: [route: unknown, reason: string][] = [
    ['arn:aws:lambda:eu-central-1:1:function:x', 'an ARN'],
    ['../x', 'a path'],
    ['', 'nothing'],
    ['x'.repeat(65), 'a name that is too long for Lambda'],
    [{ attempts: 3 }, 'settings without a function'],
    [{ function: 'x', attemps: 3 }, 'a misspelt setting'],
    [{ function: 'x', attempts: 0 }, 'no attempt at all'],
    [{ function: 'x', attempts: 1.5 }, 'half an attempt'],
    [{ function: 'x', batchSize: 10_001 }, 'more than a batch may have'],
    [{ function: 'x', batchBytes: 999 }, 'less than a change usually takes'],
    [{ function: 'x', batchBytes: 4_300_001 }, 'more than an invocation carries'],
    [{ function: 'x', batchWindowSeconds: 31 }, 'a wait that the next run could begin again and again'],
    [{ function: 'x', concurrency: 33 }, 'more parts than there may be'],
    [{ function: 'x', maxAgeSeconds: 0 }, 'no age'],
    [{ function: 'x', onFailure: 'skip' }, 'skipping silently'],
    [{ function: 'x', operations: [] }, 'no operation: such a handler would see nothing'],
    [{ function: 'x', operations: ['DDL'] }, 'DDL, which always arrives'],
    [{ function: 'x', operations: ['HEARTBEAT'] }, 'what no handler sees'],
    [{ function: 'x', except: [] }, 'an empty list of exceptions'],
    [{ function: 'x', except: [''] }, 'an exception without a name'],
    [null, 'null'],
  ]
  for (const [route, reason] of cases) {
    assert.equal(routesSchema.safeParse({ 'shop.orders': route }).success, false, reason)
  }
  assert.equal(routesSchema.safeParse({ '': 'orders' }).success, false, 'an empty pattern')
})
