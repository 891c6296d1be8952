import assert from 'node:assert/strict'
import { test } from 'node:test'
import { placeIn } from '../../../infra/local/place-in-stack.ts'

const cases: [frames: string[], place: string | null, reason: string][] = [
  [
    ['lookUp (functions/tables/orders.ts:7:31)', 'Object.onChange (functions/tables/orders.ts:15:5)'],
    'functions/tables/orders.ts:7:31',
    'the innermost line of the handler',
  ],
  [
    ['functions/tables/orders.ts:7:31', 'Object.one (lib/handler/call-handler.ts:7:1)'],
    'functions/tables/orders.ts:7:31',
    'a frame without a name',
  ],
  [
    [
      'JSON.parse (<anonymous>)',
      'parse (node_modules/zod/index.js:3:1)',
      'node:internal/process/task_queues:105:5',
      'async Object.onChange (functions/tables/billing/invoices.ts:9:2)',
    ],
    'functions/tables/billing/invoices.ts:9:2',
    'below the frames of packages and of Node',
  ],
  [
    ['put (src/stock.ts:4:2)', 'Object.onChange (functions/tables/orders.ts:15:5)'],
    'src/stock.ts:4:2',
    'a module that the handler imports',
  ],
  [
    ['checkRow (lib/handler/columns/row.ts:7:1)', 'file:///srv/x.mjs:1:1', '/srv/y.mjs:1:1'],
    null,
    'the product alone',
  ],
]

for (const [frames, place, reason] of cases) {
  test(`the place of an error: ${reason}`, () => {
    const stack = [
      'TypeError: at x (functions/tables/no.ts:1:1)',
      ...frames.map((frame) => `    at ${frame}`),
    ]
    assert.equal(placeIn(stack.join('\n')), place)
  })
}
