import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeRecord, integer, text } from '../../../../infra/local/encode.ts'
import { pseudonym } from '../../../../lib/dispatch/mask.ts'
import { discard, listLetters } from '../../../../lib/recovery/resend/letters.ts'
import type { LetterMask } from '../../../../lib/recovery/resend/masked-letter.ts'
import { route } from '../../../support/dispatch.ts'
import { t0, Writer } from '../../../support/records.ts'
import { letterOf, Queue } from './support.ts'

const key = 'a key of this test'
const value = new Writer().insert('shop.orders', 7, t0).value ?? Buffer.alloc(0)

describe('the dead letters that recovery lists', () => {
  const list = (queue: Queue, mask: LetterMask = { routes: {} }, max = 50) =>
    listLetters({ action: 'letters', max }, { deadLetters: queue, ...mask })

  test('have their facts and their change, and are available again at once', async () => {
    const queue = new Queue([letterOf(3, value, { generation: 4, partition: 2, attempts: 5 })])
    const { action, letters, waiting } = await list(queue)
    assert.deepEqual([action, waiting, queue.out], ['letters', 1, []])
    const [letter] = letters
    assert.ok(letter !== undefined)
    const { change, ...facts } = letter
    assert.deepEqual(facts, {
      message: 'm3',
      table: 'shop.orders',
      function: 'orders',
      partition: 2,
      clusterId: 'c',
      offset: '3',
      generation: 4,
      at: '2026-01-01T00:00:00.000Z',
      attempts: 5,
      error: 'HANDLER_FAILED: no',
    })
    assert.deepEqual([change?.offset, change?.generation, change?.replay], ['3', 4, false])
    assert.deepEqual({ ...change?.after }, { id: { $bigint: '7' }, status: 'new', unread: 'never asked for' })
  })

  test('have their change masked as their own handler masks it', async () => {
    const routes = {
      'shop.items': route('items'),
      'shop.orders': route('orders', { mask: { status: 'hash', unread: 'drop' } }),
    }
    const { letters } = await list(new Queue([letterOf(3, value)]), { routes, maskKey: async () => key })
    const after = { ...letters[0]?.change?.after }
    assert.deepEqual(after, { id: { $bigint: '7' }, status: pseudonym('new', key) })
  })

  test('have no change if no handler says how to mask it, or if its record is in the bucket', async () => {
    const queue = new Queue([letterOf(3, value, { functionName: null, table: '' })])
    // The queue has no such object: a record of any size is not loaded.
    queue.waiting.push(letterOf(4, value, { raw: { bucket: 'letters', key: 'large' } }))
    const { letters } = await list(queue)
    assert.deepEqual(
      letters.map(({ offset, change }) => [offset, change]),
      [
        ['3', null],
        ['4', null],
      ],
    )
  })

  test('have no change if it cannot be decoded or masked, and are listed all the same', async () => {
    const routes = { 'shop.orders': route('orders', { mask: { emial: 'drop' } }) }
    for (const [bytes, given] of [
      [Buffer.from('no record'), {}],
      [value, routes],
    ] as const) {
      const { letters } = await list(new Queue([letterOf(3, bytes)]), { routes: given })
      assert.deepEqual([letters[0]?.offset, letters[0]?.change], ['3', null])
    }
  })

  test('are not listed after an unexpected error', async () => {
    const routes = { 'shop.orders': route('orders', { mask: { status: 'hash' } }) }
    const odd = new TypeError('odd')
    const queue = new Queue([letterOf(3, value)])
    await assert.rejects(list(queue, { routes, maskKey: () => Promise.reject(odd) }), odd)
    assert.deepEqual(queue.out, [])
  })

  test('have no change of more than 20,000 characters', async () => {
    const changeOf = async (length: number) => {
      const record = encodeRecord({
        operation: 'INSERT',
        objectName: 'shop.orders',
        fields: [
          ['id', 8],
          ['status', 253],
        ],
        after: [integer(7), text('x'.repeat(length))],
        sourceTimestamp: t0,
      })
      return (await list(new Queue([letterOf(3, record)]))).letters[0]?.change ?? null
    }
    const envelope = JSON.stringify(await changeOf(1)).length - 1
    assert.equal(JSON.stringify(await changeOf(20_000 - envelope)).length, 20_000)
    assert.equal(await changeOf(20_001 - envelope), null)
  })

  test('are as many as were asked for', async () => {
    const queue = new Queue([1, 2, 3].map((offset) => letterOf(offset, value)))
    const { letters, waiting } = await list(queue, { routes: {} }, 2)
    assert.deepEqual([letters.length, waiting, queue.asked], [2, 3, [2]])
  })
})

describe('a dead letter that a person discards', () => {
  const throwAway = (queue: Queue, message: string, who: object = {}) =>
    discard({ action: 'discard', message, ...who }, { deadLetters: queue, owner: 'request-1' })

  test('is deleted alone, and the answer keeps who did it and why', async () => {
    const queue = new Queue([1, 2, 3].map((offset) => letterOf(offset, value)))
    const answer = await throwAway(queue, 'm2', { by: 'Ada', reason: 'a test row' })
    assert.deepEqual([answer.action, answer.by, answer.reason], ['discard', 'Ada', 'a test row'])
    assert.deepEqual([answer.letter.offset, answer.letter.message], ['2', 'm2'])
    assert.equal(
      answer.note,
      'The change of shop.orders at offset 2 is discarded: the letter is deleted, and no redrive delivers it. The log of ' +
        'recovery keeps who did that, and why.',
    )
    assert.deepEqual(
      queue.waiting.map(({ messageId }) => messageId),
      ['m1', 'm3'],
    )
  })

  test('without a name is discarded by the invocation, for no reason', async () => {
    for (const reason of [{}, { reason: '' }]) {
      const answer = await throwAway(new Queue([letterOf(1, value)]), 'm1', reason)
      assert.deepEqual([answer.by, answer.reason], ['request-1', null])
    }
  })

  test('may be a record that could not be read', async () => {
    const queue = new Queue([letterOf(1, value, { functionName: null, table: '' })])
    assert.match((await throwAway(queue, 'm1')).note, /^The record at offset 1 is discarded/)
  })

  test('must be handed out by the queue: otherwise nothing is deleted, and the letters can be listed', async () => {
    const queue = new Queue([letterOf(1, value)])
    await assert.rejects(throwAway(queue, 'm2'), {
      code: 'DEAD_LETTER_FAILED',
      retryable: false,
      next: [{ action: 'redrive', dryRun: true }],
      message: /^The dead-letter queue hands out no letter m2\. .*Nothing was deleted\.$/,
    })
    assert.equal(queue.waiting.length, 1)
  })
})
