import { freshPosition, type Position, type Tail } from '../../checkpoint/types.ts'
import { digestOf } from '../../dts/digest.ts'
import type { Stream } from '../../kafka/stream.ts'
import { glance, isDamage } from '../../log/scan.ts'
import type { Move } from './landing.ts'

/** With the record below the landing, so that the next run can prove that the log is still the same. */
export async function positionOf({ landing, lead }: Move, stream: Stream): Promise<Position> {
  const { offset, timestamp, times, anchor } = landing
  return freshPosition(offset, timestamp, anchor, await tailBelow(offset, stream), lead.lanes, times)
}

/** Control batches and compaction leave holes among the offsets; a larger one than this is passed over. */
const largestHole = 128n

/** The last record below an offset, unless damage hides that; looked for downwards, as mostly it stands right below. */
async function tailBelow(offset: bigint, stream: Stream): Promise<Tail | null> {
  const { earliest } = await stream.range()
  for (let step = 1n; step <= largestHole && offset - step / 2n > earliest; step *= 2n) {
    const tail = await tailBetween(offset - step < earliest ? earliest : offset - step, offset, stream)
    if (tail !== null) return tail
  }
  return null
}

async function tailBetween(from: bigint, offset: bigint, stream: Stream): Promise<Tail | null> {
  let tail: Tail | null = null
  try {
    for (let next = from; next < offset; ) {
      const { records, nextOffset } = await stream.fetch(next, glance)
      const last = Array.from(records).findLast((record) => record.offset < offset)
      if (last !== undefined) tail = { offset: last.offset, digest: digestOf(last.value) }
      if (nextOffset === next) break
      next = nextOffset
    }
  } catch (error) {
    // Who goes on behind a batch that cannot be read has it right below; what stands before it tells the log as well.
    if (!isDamage(error)) throw error
  }
  return tail
}
