import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { changesOf, deliver } from 'dts-functions/testing'
import { startRecorder } from './recorder.ts'

const recorder = await startRecorder()
process.env.QUEUE_URL = `${recorder.address}/123456789012/orders.fifo`
const { handler } = await import('./queue.ts')

const make = changesOf(handler, { keys: ['id'] })
const changes = [1n, 2n, 1n, 3n].map((id) => make.insert({ id }))
beforeEach(() => recorder.requests.splice(0))

function sent() {
  return recorder.requests.map(({ body }) => {
    const { Entries } = JSON.parse(body) as {
      Entries: { MessageGroupId: string; MessageDeduplicationId: string; MessageBody: string }[]
    }
    return Entries
  })
}

test('a request never has two messages of one order, and all arrive in order', async () => {
  assert.deepEqual(await deliver(handler, changes), { handled: 4, filtered: 0, error: null })
  assert.deepEqual(
    sent().map((entries) => entries.map(({ MessageGroupId }) => MessageGroupId)),
    [
      ['1', '2'],
      ['1', '3'],
    ],
  )
  assert.equal(JSON.parse(sent()[0]?.[0]?.MessageBody ?? '').table, 'shop.orders')
})

test('a change that comes again has the same id for the queue, so that the queue drops it', async () => {
  await deliver(handler, changes.slice(0, 1))
  await deliver(handler, changes.slice(0, 1), { replay: true })
  const [first, again] = sent().map(([entry]) => entry?.MessageDeduplicationId)
  assert.ok(first !== undefined && first === again)
})

test('a request has at most ten messages', async () => {
  await deliver(
    handler,
    Array.from({ length: 11 }, (_, id) => make.insert({ id: BigInt(id) })),
  )
  assert.deepEqual(
    sent().map(({ length }) => length),
    [10, 1],
  )
})

test('all from the first refused message on counts as undone', async () => {
  const failed = ['1', '0'].map((Id) => ({ Id, Message: 'again', Code: 'InternalError', SenderFault: false }))
  recorder.answers.push({ status: 200, body: JSON.stringify({ Failed: failed, Successful: [] }) })
  assert.equal((await deliver(handler, changes)).handled, 0)
})

test('nothing is sent after a message that the queue refused', async () => {
  const failed = {
    Failed: [{ Id: '1', Message: 'again', Code: 'InternalError', SenderFault: false }],
    Successful: [],
  }
  recorder.answers.push({ status: 200, body: JSON.stringify(failed) })
  const { handled, error } = await deliver(handler, changes)
  assert.equal(handled, 1)
  assert.match(String(error), /again/)
  assert.equal(recorder.requests.length, 1)
})
