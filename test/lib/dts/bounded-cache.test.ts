import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BoundedCache, FewItems } from '../../../lib/dts/bounded-cache.ts'

/** The share of keys that are found if so many come in turn. */
function foundInTurn(cache: BoundedCache<number>, keys: number): number {
  const rounds = 20
  let found = 0
  for (let round = 0; round < rounds; round++) {
    for (let key = 0; key < keys; key++) {
      if (cache.get(String(key))) found++
      else cache.add(String(key), key, 1)
    }
  }
  return found / (rounds * keys)
}

test('values that fit are kept', () => {
  const cache = new BoundedCache<number>(100)
  assert.equal(foundInTurn(cache, 100), 19 / 20)
})

test('more values than fit, in turn, are found less often the more there are', () => {
  for (const [keys, low, high] of [
    [101, 0.9, 0.95],
    [110, 0.7, 0.9],
    [150, 0.3, 0.6],
    [400, 0, 0.1],
  ] as const) {
    const found = foundInTurn(new BoundedCache<number>(100), keys)
    assert.ok(found > low && found < high, `${keys} keys: ${found}`)
  }
})

test('the sizes of the kept values never exceed the limit', () => {
  const cache = new BoundedCache<number>(1000)
  const slots = Array.from({ length: 500 }, (_, n) => ({
    size: 1 + ((n * 37) % 300),
    slot: cache.add(`key ${n}`, n, 1 + ((n * 37) % 300)),
  }))
  const kept = slots.filter(({ slot }) => slot?.value !== null)
  const sum = kept.reduce((total, { size }) => total + size, 0)
  assert.ok(sum <= 1000 && sum > 500, `${sum}`)
  for (const [n, { slot }] of slots.entries()) assert.equal(cache.get(`key ${n}`)?.value ?? null, slot?.value)
})

test('a slot is empty after its value was dropped, so that its owner does not keep the value', () => {
  const cache = new BoundedCache<string>(1)
  const slot = cache.add('a', 'A', 1)
  assert.equal(slot?.value, 'A')
  cache.add('b', 'B', 1)
  assert.equal(slot?.value, null)
  assert.equal(cache.get('a'), undefined)
  assert.equal(cache.get('b')?.value, 'B')
})

test('a value that is larger than the limit is not kept, and drops nothing', () => {
  const cache = new BoundedCache<string>(10)
  cache.add('a', 'A', 10)
  assert.equal(cache.add('b', 'B', 11), null)
  assert.equal(cache.get('a')?.value, 'A')
  assert.equal(cache.get('b'), undefined)
})

test('a few items are all kept up to the limit, and replace one each after it', () => {
  const few = new FewItems<number>(4)
  for (let n = 0; n < 4; n++) assert.equal(few.add(n), n)
  assert.deepEqual(few.items, [0, 1, 2, 3])
  for (let n = 4; n < 50; n++) {
    const place = few.add(n)
    assert.equal(few.items[place], n)
    assert.equal(few.items.length, 4)
  }
})
