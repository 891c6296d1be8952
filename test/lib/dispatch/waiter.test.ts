import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Waiter } from '../../../lib/dispatch/waiter.ts'

test('a waiter ends its rest with the first of many wakes, and rests again after them', async () => {
  const waiter = new Waiter()
  const rested: number[] = []
  const first = waiter.rest().then(() => rested.push(1))
  for (let wakes = 0; wakes < 3; wakes++) waiter.wake()
  await first
  const second = waiter.rest().then(() => rested.push(2))
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(rested, [1])
  waiter.wake()
  await second
  assert.deepEqual(rested, [1, 2])
})

test('the wakes after the first one do not reach the promise of the rest: each would cost a report to Node', async (context) => {
  const NativePromise = Promise
  let resolved = 0
  context.mock.property(
    globalThis,
    'Promise',
    class<Value> extends NativePromise<Value> {
      constructor(executor: ConstructorParameters<typeof NativePromise<Value>>[0]) {
        super((resolve, reject) =>
          executor((value) => {
            resolved += 1
            resolve(value)
          }, reject),
        )
      }
    },
  )
  const waiter = new Waiter()
  const rest = waiter.rest()
  for (let wakes = 0; wakes < 3; wakes++) waiter.wake()
  assert.equal(resolved, 1)
  await rest
})
