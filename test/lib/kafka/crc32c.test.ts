import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c } from '../../../lib/kafka/crc32c.ts'
import { kafkajsCrc32c } from '../../support/kafkajs-batches.ts'

const ascending = Buffer.from(Array.from({ length: 32 }, (_, index) => index))

const vectors: [input: Buffer, crc: number, source: string][] = [
  [Buffer.alloc(0), 0, 'nothing'],
  [Buffer.from('123456789'), 0xe3069283, 'the check value of the CRC catalogue'],
  [Buffer.alloc(32), 0x8a9136aa, 'RFC 3720, B.4: zeros'],
  [Buffer.alloc(32, 0xff), 0x62a8ab43, 'RFC 3720, B.4: ones'],
  [ascending, 0x46dd794e, 'RFC 3720, B.4: ascending'],
  [Buffer.from(ascending).reverse(), 0x113fdb5c, 'RFC 3720, B.4: descending'],
]

for (const [input, crc, source] of vectors) {
  test(`CRC-32C of ${source}`, () => assert.equal(crc32c(input), crc))
}

test('CRC-32C agrees with kafkajs at every alignment and length', () => {
  const bytes = Buffer.from(Array.from({ length: 96 }, (_, index) => (index * 167 + 13) & 0xff))
  for (let start = 0; start < 16; start++) {
    for (let end = start; end <= bytes.length; end++) {
      const expected = kafkajsCrc32c(bytes.subarray(start, end))
      assert.equal(crc32c(bytes, start, end), expected, `${start} to ${end}`)
      assert.equal(crc32c(bytes.subarray(start, end)), expected, `view of ${start} to ${end}`)
    }
  }
})

test('CRC-32C agrees with kafkajs at lengths around the blocks that it reads in two halves', () => {
  const bytes = Buffer.from(Array.from({ length: 12_300 }, (_, index) => (index * index * 167 + 13) & 0xff))
  for (const length of [1_016, 1_023, 1_024, 1_025, 1_032, 2_047, 2_048, 2_056, 12_295]) {
    for (const start of [0, 1, 4]) {
      const end = start + length
      assert.equal(
        crc32c(bytes, start, end),
        kafkajsCrc32c(bytes.subarray(start, end)),
        `${start}, ${length}`,
      )
    }
  }
})
