import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { changesOf, deliver } from 'dts-functions/testing'
import { startRecorder } from './recorder.ts'

const recorder = await startRecorder()
process.env.SEARCH_URL = recorder.address
const { handler } = await import('./search-index.ts')

const make = changesOf(handler, { keys: ['id'] })
const lamp = { id: 7n, name: 'Lamp', description: null }
beforeEach(() => recorder.requests.splice(0))

test('rows become documents, and deleted rows leave the index', async () => {
  recorder.answers.push({
    status: 200,
    body: '{"items":[{"index":{"status":201}},{"delete":{"status":404}}]}',
  })
  const changes = [make.insert(lamp), make.delete({ ...lamp, id: 8n })]
  assert.deepEqual(await deliver(handler, changes), { handled: 2, filtered: 0, error: null })
  const [sent] = recorder.requests
  assert.equal(sent?.path, '/_bulk')
  assert.deepEqual(
    sent.body
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line)),
    [
      { index: { _index: 'products', _id: '7' } },
      { name: 'Lamp', description: null },
      { delete: { _index: 'products', _id: '8' } },
    ],
  )
})

test('the first document that the index refuses is not done', async () => {
  const refused =
    '{"items":[{"index":{"status":200}},{"index":{"status":429,"error":{"reason":"too busy"}}}]}'
  recorder.answers.push({ status: 200, body: refused })
  const { handled, error } = await deliver(handler, [make.insert(lamp), make.insert({ ...lamp, id: 8n })])
  assert.equal(handled, 1)
  assert.match(String(error), /too busy/)
})

test('nothing is done while the index does not answer', async () => {
  recorder.answers.push({ status: 503, body: 'closed' })
  const { handled, error } = await deliver(handler, [make.insert(lamp)])
  assert.equal(handled, 0)
  assert.match(String(error), /503: closed/)
})
