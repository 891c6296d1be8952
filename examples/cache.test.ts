import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changesOf, deliver } from 'dts-functions/testing'
import { startRecorder } from './recorder.ts'

const recorder = await startRecorder()
process.env.DISTRIBUTION_ID = 'E2EXAMPLE'
const { handler } = await import('./cache.ts')

test('changed and deleted pages are removed once, and a repeat is the same request', async () => {
  const make = changesOf(handler, { keys: ['slug'] })
  const changes = [
    make.update({ slug: 'a lamp' }, { slug: 'a lamp' }),
    make.update({ slug: 'a lamp' }, { slug: 'lamp' }),
    make.delete({ slug: 'chair' }),
  ]
  const accepted = { status: 201, body: '<Invalidation><Id>I2EXAMPLE</Id></Invalidation>' }
  recorder.answers.push(accepted, accepted)
  assert.deepEqual(await deliver(handler, changes), { handled: 3, filtered: 0, error: null })
  await deliver(handler, changes, { replay: true })
  const [first, again] = recorder.requests
  assert.match(first?.path ?? '', /distribution\/E2EXAMPLE\/invalidation/)
  assert.match(
    first?.body ?? '',
    /<Quantity>2<\/Quantity>.*<Path>\/products\/a%20lamp<\/Path><Path>\/products\/chair<\/Path>/,
  )
  assert.equal(again?.body, first?.body)
})
