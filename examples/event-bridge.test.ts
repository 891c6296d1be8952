import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changesOf, deliver } from 'dts-functions/testing'
import { startRecorder } from './recorder.ts'

const recorder = await startRecorder()
const { handler } = await import('./event-bridge.ts')

const make = changesOf(handler, { keys: ['id'] })
const changes = [make.insert({ id: 7n, status: 'open' }), make.delete({ id: 7n, status: 'open' })]

test('each change is a CloudEvent, and a repeat has the same id', async () => {
  await deliver(handler, changes)
  await deliver(handler, changes, { replay: true })
  const sent = recorder.requests.map(({ body }) => {
    const { Entries } = JSON.parse(body) as { Entries: { DetailType: string; Detail: string }[] }
    return Entries.map(({ DetailType, Detail }) => ({ DetailType, ...JSON.parse(Detail) }))
  })
  const [first = [], again = []] = sent
  assert.deepEqual(
    first.map(({ specversion, source, type, time }) => [specversion, source, type, time]),
    [
      ['1.0', '/shop/orders', 'shop.orders.insert', '2026-01-01T00:00:00.000Z'],
      ['1.0', '/shop/orders', 'shop.orders.delete', '2026-01-01T00:00:01.000Z'],
    ],
  )
  assert.deepEqual(first[0].data.after, { id: { $bigint: '7' }, status: 'open' })
  assert.deepEqual(
    again.map(({ id }) => id),
    first.map(({ id }) => id),
  )
})

test('the first event that the bus refuses is not done', async () => {
  const refused = {
    FailedEntryCount: 1,
    Entries: [{ EventId: '1' }, { ErrorCode: 'InternalFailure', ErrorMessage: 'again' }],
  }
  recorder.answers.push({ status: 200, body: JSON.stringify(refused) })
  const { handled, error } = await deliver(handler, changes)
  assert.equal(handled, 1)
  assert.match(String(error), /again/)
})
