import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Trouble } from '../../../infra/local/troubles.ts'
import { render, type TableView, type View } from '../../../infra/local/view.ts'
import { type Checkpoint, freshPosition } from '../../../lib/checkpoint/types.ts'
import type { ErrorCode } from '../../../lib/errors.ts'

function haltedBy(code: ErrorCode, message: string, clusterId = 'c1'): Checkpoint {
  return {
    ...freshPosition(3n, 1_790_000_000),
    key: 'topic/0',
    epoch: 1,
    owner: null,
    leaseUntil: null,
    generation: 1,
    clusterId,
    replayUntil: null,
    state: 'HALTED',
    halt: { code, message, facts: {}, next: [], at: 0 },
    ledger: [],
    wish: null,
  }
}

const table = (name: string): TableView => ({
  table: name,
  handled: 1,
  replays: 0,
  lastOperation: 'INSERT',
  lastOffset: '2',
})

const healthy: View = {
  tables: [table('shop.orders')],
  checkpoint: null,
  clusterId: 'c1',
  range: { earliest: 0n, end: 9n },
  now: 1_790_000_000_000,
  troubles: [],
  letters: 0,
  steps: [],
  events: [],
  logFile: 'poller.log',
  page: 'http://127.0.0.1:15000/token/',
}

const trouble: Trouble = {
  functionName: 'orders',
  what: 'UPDATE of shop.orders id=7 at offset 12',
  reason: `TypeError: ${'a long reason '.repeat(20)}`,
  place: 'functions/tables/orders.ts:12:7',
  attempts: 2,
  offset: 12n,
  generation: 1,
}

test('the live view shows names from the stream in one line each, with control characters escaped', () => {
  const name = 'shop.\u001b[2J\u009b31m\nstate       RUNNING\u202e'
  const view: View = {
    ...healthy,
    tables: [table(name)],
    checkpoint: haltedBy('TABLE_UNROUTED', `no function for ${name}`, name),
    clusterId: name,
    troubles: [{ ...trouble, what: name, reason: name }],
    steps: [`[1] ${name}`],
    events: [`12:00:00  ${name}`],
  }
  const shown = render(view)
  const plain = render({ ...view, tables: [], troubles: [], steps: [], events: [] })
  assert.equal(shown.length, plain.length + 5)
  for (const line of shown) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u)
  assert.ok(shown.some((line) => line.startsWith('state       HALTED: no function for shop.\\u001b[2J')))
})

describe('a screen of 80×24', () => {
  const long = 'The function dts-functions-dev-orders did not handle its events. '.repeat(6)
  const halted: View = {
    ...healthy,
    tables: Array.from({ length: 12 }, (_, at) => table(`shop.table_${at}`)),
    checkpoint: haltedBy('HANDLER_FAILED', long),
    troubles: [trouble],
    steps: ['[1] let the stream continue', '[2] skip that change'],
    events: Array.from({ length: 9 }, (_, at) => `12:00:0${at}  ${long}`),
  }
  const screen = render(halted, { columns: 80, rows: 24 })

  test('keeps its header, its keys and the steps when the stream is halted', () => {
    assert.match(screen[0] ?? '', /^dts-functions, locally/)
    assert.match(screen[2] ?? '', /^table +handled/)
    assert.match(screen.join('\n'), /state {7}HALTED: The function/)
    assert.match(
      screen.join('\n'),
      /\[1\] let the stream continue\n\[2\] skip that change\n\[c\] cluster change/,
    )
  })

  test('has neither a line that breaks nor one that scrolls', () => {
    assert.ok(screen.length < 24, String(screen.length))
    for (const line of screen) assert.ok(line.length <= 80, line)
  })

  test('shows the whole error, its line and the change when there is room', () => {
    const { columns, rows } = { columns: 80, rows: 60 }
    const shown = render({ ...halted, events: [] }, { columns, rows }).join('\n')
    assert.match(shown, /failing {5}orders failed at functions\/tables\/orders\.ts:12:7 \(UPDATE of/)
    assert.match(shown, /shop\.orders id=7 at offset 12, attempt 2\):\n +TypeError: a long reason/)
  })
})

test('the newest events stay when there is no room for all', () => {
  const events = ['1', '2', '3', '4', '5'].map((at) => `12:00:0${at}  event ${at}`)
  const screen = render({ ...healthy, events }, { columns: 80, rows: 17 }).join('\n')
  assert.match(screen, /event 5/)
  assert.doesNotMatch(screen, /event 1/)
})

test('a halt names the key that shows what ends it', () => {
  const screen = render({ ...healthy, checkpoint: haltedBy('CLUSTER_CHANGED', 'no') }).join('\n')
  assert.match(screen, /Press i to see what ends the halt/)
})

test('waiting dead letters are on the screen', () => {
  assert.doesNotMatch(render(healthy).join('\n'), /dead letter/)
  assert.match(
    render({ ...healthy, letters: 1 }).join('\n'),
    /^letters {5}1 dead letter waits: see the page$/m,
  )
})

test('a table that nothing happens to says why', () => {
  const screen = render({ ...healthy, tables: [{ ...table('shop.ordres'), note: 'nothing: no such table' }] })
  assert.ok(screen.includes('shop.ordres           nothing: no such table'))
})
