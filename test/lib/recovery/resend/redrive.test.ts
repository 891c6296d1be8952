import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordsOf } from '../../../../lib/dispatch/batch-format.ts'
import type { Received } from '../../../../lib/dispatch/dead-letter-source.ts'
import { pseudonym } from '../../../../lib/dispatch/mask.ts'
import type { Mask } from '../../../../lib/dts/mask-record.ts'
import { redrive, redriveSchema } from '../../../../lib/recovery/resend/redrive.ts'
import type { SendDependencies } from '../../../../lib/recovery/resend/send.ts'
import { all, failure, route } from '../../../support/dispatch.ts'
import { t0, Writer } from '../../../support/records.ts'
import { letterOf, Queue } from './support.ts'

const key = 'a key of this test'
const write = new Writer()
const clear = write.insert('shop.orders', 7, t0).value ?? Buffer.alloc(0)

/** Redrives the letters of this queue. @returns the answer, and what each function got */
async function redriving(queue: Queue, event: object = {}, change: Partial<SendDependencies> = {}) {
  const got: [functionName: string, offset: number, value: Buffer][] = []
  const answer = await redrive(redriveSchema.parse({ action: 'redrive', ...event }), {
    deadLetters: queue,
    routes: {},
    ghostTables: 'skip',
    maskKey: async () => key,
    handlerTimeoutMs: 1_000,
    remainingMs: () => 600_000,
    invoke: async (name, batch, events) => {
      for (const { offset, value } of recordsOf(batch)) got.push([name, Number(offset), value])
      return all(events)
    },
    ...change,
  })
  return { answer, got }
}

describe('a letter of a table with a mask', () => {
  async function redriven(value: Buffer, mask: Mask) {
    const queue = new Queue([letterOf(0, value)])
    // Another function's mask does not count.
    const routes = { 'shop.items': route('items'), 'shop.orders': route('orders', { mask }) }
    const { answer, got } = await redriving(queue, {}, { routes })
    return { answer, got: got.map(([, , sent]) => sent), left: queue.waiting.length }
  }

  test('is masked when it is sent again if it is older than the mask, and stays as it is if it is masked', async () => {
    const mask = { status: 'hash', unread: 'drop' } as const
    const { got, answer } = await redriven(clear, mask)
    const [masked = Buffer.alloc(0)] = got
    assert.equal(answer.redriven, 1)
    assert.ok(masked?.includes(pseudonym('new', key)) && !masked.includes('never asked for'))
    assert.deepEqual((await redriven(masked, mask)).got, [masked])
  })

  test('stays in the queue if it cannot be masked, and the answer says why', async () => {
    const { answer, got, left } = await redriven(clear, { emial: 'hash' })
    assert.deepEqual([got, left, answer.redriven], [[], 1, 0])
    assert.match(answer.error ?? '', /cannot be masked for orders: .*no column emial/)
    // A resume would also end a pause.
    assert.deepEqual(answer.next, [
      { action: 'deploy', change: 'Correct the mask of the handler' },
      { action: 'redrive', purpose: 'send the letters again then' },
    ])
  })

  test('is sent although it is older than a column if the mask lets the column be absent, and masked otherwise', async () => {
    const mask = { status: 'hash', phone: 'drop-if-present', email: 'hash-if-present' } as const
    const { answer, got, left } = await redriven(clear, mask)
    assert.deepEqual([answer.error, answer.redriven, left], [null, 1, 0])
    assert.ok(got[0]?.includes(pseudonym('new', key)))
  })
})

const letters = (functionName: string, table: string, ...offsets: readonly number[]) =>
  offsets.map((offset) => letterOf(offset, clear, { functionName, table }))

test('a redrive ends at its limit, and asks the queue for no letter beyond it', async () => {
  const queue = new Queue(letters('orders', 'shop.orders', 1, 2, 3, 4, 5), 2)
  const { answer, got } = await redriving(queue, { max: 3 })
  assert.deepEqual(
    got.map(([, offset]) => offset),
    [1, 2, 3],
  )
  assert.deepEqual([answer.redriven, answer.left, queue.asked], [3, 2, [3, 1]])
  assert.deepEqual([answer.error, answer.notes, answer.next], [null, [], []])
})

test('a letter that fails again counts against the limit', async () => {
  const queue = new Queue(
    [...letters('broken', 'shop.a', 1), ...letters('orders', 'shop.orders', 2, 3, 4, 5)],
    2,
  )
  const invoke: SendDependencies['invoke'] = async (name, _batch, events) =>
    name === 'broken' ? { kind: 'failed', error: failure() } : all(events)
  const { answer } = await redriving(queue, { max: 3 }, { invoke })
  assert.deepEqual([answer.redriven, answer.left, queue.asked], [2, 3, [3, 1]])
  assert.deepEqual(
    answer.letters.map(({ offset, outcome }) => [offset, outcome]),
    [
      ['1', 'failed'],
      ['2', 'redriven'],
      ['3', 'redriven'],
    ],
  )
  assert.deepEqual(queue.out, [])
})

test('a function that fails gets no more letters, and the other functions get theirs', async () => {
  const queue = new Queue([
    ...letters('broken', 'shop.a', 1, 2, 3),
    ...letters('orders', 'shop.orders', 4, 5),
  ])
  const invoked: string[] = []
  const invoke: SendDependencies['invoke'] = async (name, _batch, events) => {
    invoked.push(name)
    return name === 'broken' ? { kind: 'failed', error: failure() } : all(events)
  }
  const { answer } = await redriving(queue, {}, { invoke })
  assert.deepEqual(invoked, ['broken', 'orders', 'orders'])
  assert.deepEqual([answer.action, answer.redriven, answer.left, queue.out], ['redrive', 2, 3, []])
  assert.deepEqual(
    answer.letters.map(({ offset, outcome }) => [offset, outcome]),
    [
      ['1', 'failed'],
      ['2', 'left'],
      ['3', 'left'],
      ['4', 'redriven'],
      ['5', 'redriven'],
    ],
  )
})

test('a redrive sends each letter alone, in its own generation, and marked as a replay', async () => {
  const queue = new Queue([letterOf(3, clear, { generation: 4, partition: 2, clusterId: 'before' })])
  const batches: object[] = []
  const invoke: SendDependencies['invoke'] = async (_name, batch, events) => {
    batches.push(batch)
    return all(events)
  }
  await redriving(queue, {}, { invoke })
  assert.equal(batches.length, 1)
  const place = { topic: 't', partition: 2, clusterId: 'before', generation: 4 }
  assert.deepEqual({ ...batches[0], ...place, replayUntil: Number.MAX_SAFE_INTEGER }, batches[0])
})

test('a dry run sends nothing, lists what the queue hands out first, and asks once', async () => {
  const queue = new Queue(letters('orders', 'shop.orders', 1, 2, 3), 2)
  const { answer, got } = await redriving(queue, { dryRun: true })
  assert.deepEqual([got, answer.redriven, answer.left, queue.out], [[], 0, 3, []])
  assert.deepEqual(
    answer.letters.map(({ offset, outcome }) => [offset, outcome]),
    [
      ['1', 'listed'],
      ['2', 'listed'],
    ],
  )
  assert.deepEqual(queue.asked, [100])
})

test('a redrive without time for another invocation sends nothing, and asks once', async () => {
  const queue = new Queue(letters('orders', 'shop.orders', 1, 2))
  const { answer, got } = await redriving(queue, {}, { remainingMs: () => 16_000 })
  assert.deepEqual([got, answer.redriven, answer.left, queue.out, queue.asked], [[], 0, 2, [], [100]])
  assert.equal((await redriving(queue, {}, { remainingMs: () => 16_001 })).answer.redriven, 2)
})

test('the errors of two functions are two sentences', async () => {
  // The second function is tried although nothing of the first round was delivered.
  const queue = new Queue([...letters('one', 'shop.a', 1), ...letters('other', 'shop.b', 2)], 1)
  const invoke: SendDependencies['invoke'] = async (name) => ({
    kind: 'failed',
    error: failure(`${name} fails.`),
  })
  assert.equal((await redriving(queue, {}, { invoke })).answer.error, 'one fails. other fails.')
})

test('a letter whose record is in the bucket is sent with that record', async () => {
  const queue = new Queue([])
  queue.waiting.push(letterOf(3, clear, { raw: queue.store('large', clear) }))
  const { answer, got } = await redriving(queue)
  assert.deepEqual([answer.redriven, answer.left, got], [1, 0, [['orders', 3, clear]]])
})

test('each letter has its place, its function and its error in the answer', async () => {
  const unreadable = letterOf(4, Buffer.from('x'), {
    functionName: null,
    table: '',
    error: { code: 'RECORD_INVALID', message: 'too short' },
  })
  const queue = new Queue([...letters('orders', 'shop.orders', 3), unreadable])
  const { answer } = await redriving(queue)
  const facts = { generation: 1, at: '2026-01-01T00:00:00.000Z', attempts: 1 }
  assert.deepEqual(answer.letters, [
    {
      ...facts,
      table: 'shop.orders',
      function: 'orders',
      offset: '3',
      error: 'HANDLER_FAILED: no',
      outcome: 'redriven',
    },
    {
      ...facts,
      table: '',
      function: '',
      offset: '4',
      error: 'RECORD_INVALID: too short',
      outcome: 'left',
    },
  ])
  assert.equal(answer.notes.length, 1)
  assert.match(
    answer.notes[0] ?? '',
    /^The record at offset 4 of t\/0 could not be read \(RECORD_INVALID\).* message m4,.* deletes it after 14 days\.$/,
  )
})

test('after an unexpected error, all letters are available again', async () => {
  const queue = new Queue(letters('orders', 'shop.orders', 1, 2))
  const odd = new TypeError('odd')
  const invoke: SendDependencies['invoke'] = () => Promise.reject(odd)
  await assert.rejects(redriving(queue, {}, { invoke }), odd)
  assert.deepEqual([queue.waiting.length, queue.out], [2, []])
})

describe('a redrive of one table', () => {
  const redriveTable = async (waiting: readonly Received[]) => {
    const { notes, next } = (await redriving(new Queue(waiting), { table: 'shop.b' })).answer
    return { notes, next }
  }

  test('names the letters of other tables that come first, by function', async () => {
    const { notes, next } = await redriveTable([
      ...letters('orders', 'shop.a', 1, 2),
      ...letters('items', 'shop.c', 3),
    ])
    assert.deepEqual(
      notes,
      ['2 letters of other tables of orders', '1 letters of other tables of items'].map(
        (which) =>
          `${which} come first in the queue. It does not hand out letters of shop.b that may come after them, so redrive ` +
          'those first, without a table.',
      ),
    )
    assert.deepEqual(
      next.map(({ action }) => action),
      ['redrive'],
    )
  })

  test('sends the letters of that table alone', async () => {
    const queue = new Queue([...letters('orders', 'shop.a', 1), ...letters('orders', 'shop.b', 2)])
    const { answer, got } = await redriving(queue, { table: 'shop.b' })
    assert.deepEqual([got.map(([, offset]) => offset), answer.redriven, answer.left], [[2], 1, 1])
  })

  test('does not name records that could not be read: they are in front of no letter', async () => {
    const unreadable = letterOf(1, Buffer.from('x'), { functionName: null, table: '' })
    assert.deepEqual(await redriveTable([unreadable]), { notes: [], next: [] })
  })
})
