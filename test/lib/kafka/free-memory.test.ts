import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { allocateBytes, freeBytes } from '../../../lib/kafka/free-memory.ts'

const MiB = 2 ** 20

describe('the memory of a large frame', () => {
  test('is kept for the next frame, so that memory neither comes nor goes with the frames', () => {
    freeBytes(allocateBytes(2 * MiB))
    const before = process.memoryUsage().arrayBuffers
    const frame = allocateBytes(2 * MiB - 100_000)
    const during = process.memoryUsage().arrayBuffers
    freeBytes(frame)
    assert.equal(frame.length, 0)
    assert.deepEqual([during, process.memoryUsage().arrayBuffers], [before, before])
  })

  test('is out of reach of every view on the frame that was freed, also while the next frame uses it', () => {
    const first = allocateBytes(2 * MiB)
    const record = first.subarray(10, 20)
    freeBytes(first)
    const next = allocateBytes(2 * MiB).fill(9)
    assert.deepEqual([first.length, record.length], [0, 0])
    // The frame may be freed once for each of its batches.
    freeBytes(record)
    assert.equal(next[0], 9)
    freeBytes(next)
  })

  test('is never shared by two frames', () => {
    const frames = [1, 2, 3].map((byte) => allocateBytes(2 * MiB).fill(byte))
    assert.deepEqual(
      frames.map((frame) => [frame[0], frame.at(-1)]),
      [
        [1, 1],
        [2, 2],
        [3, 3],
      ],
    )
    for (const frame of frames) freeBytes(frame)
  })

  test('is kept within 8 MiB, however many frames there were', () => {
    const before = process.memoryUsage().arrayBuffers
    const frames = Array.from({ length: 20 }, () => allocateBytes(2 * MiB))
    for (const frame of frames) freeBytes(frame)
    assert.ok(process.memoryUsage().arrayBuffers - before <= 8 * MiB)
  })
})

test('a small frame takes no more memory than its bytes', () => {
  const { length, buffer } = allocateBytes(100)
  assert.deepEqual([length, buffer.byteLength], [100, 100])
})
