import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { itemSize } from '../../bench/ground/item-size.ts'

const items: [item: Record<string, AttributeValue>, bytes: number, reason: string][] = [
  [{}, 0, 'an empty item'],
  [{ pk: { S: 'a/0' } }, 2 + 3, 'a name and a text'],
  [{ é: { S: '€"' } }, 2 + 4, 'bytes of UTF-8, and a quotation mark once'],
  [{ n: { N: '123' } }, 1 + 3, 'a byte for two digits, and one'],
  [{ n: { N: '-1200' } }, 1 + 3, 'a sign; zeros at the end do not count'],
  [{ n: { N: '0' } }, 1 + 1, 'a zero'],
  [{ a: { NULL: true }, b: { BOOL: false } }, 2 + 2, 'null and a boolean'],
]
for (const [item, bytes, reason] of items) {
  test(`the size of an item: ${reason}`, () => assert.equal(itemSize(item), bytes))
}

test('an item with another type has no size', () => {
  assert.throws(() => itemSize({ a: { L: [] } }), RangeError)
})
