import { Slot } from './log.ts'
import type { Random } from './random.ts'
import { fillers, mark } from './records.ts'
import type { Entry, Hand } from './source.ts'

/** How a cluster lays the source's entries out in its log. */
export interface Layout {
  /** Tells the records of one log from those of another. */
  readonly number: number
  /** The first entry that it holds, by its place in the order of the source. */
  readonly first: number
  /** Its first offset. */
  readonly base: bigint
  /** Times (seconds) of heartbeats in front of everything. */
  readonly front: readonly number[]
  /** How likely an idle record is between two others. */
  readonly idle: number
  /** Whether transactions are bracketed by BEGIN and COMMIT. */
  readonly marks: boolean
  readonly hand: Hand
  /** When an entry can be read, by the world's clock, in milliseconds. */
  readonly appearsAt: (entry: Entry) => number
  /** Times (seconds) of heartbeats behind everything, as an idle source goes on. */
  readonly behind: readonly number[]
}

type Content = Pick<Slot, 'kind' | 'entry' | 'time' | 'bracketsTransaction'> & { make: () => Buffer | null }

export function layOut(random: Random, entries: readonly Entry[], layout: Layout): Slot[] {
  const slots: Slot[] = []
  let offset = layout.base
  let id = BigInt(layout.number) * 1_000_000n
  let appearsAt = 0
  const put = ({ make, ...content }: Content) => {
    if (slots.length > 0 && random.chance(0.05)) offset += BigInt(random.whole(1, 5))
    slots.push(new Slot({ ...content, offset, appearsAt }, make))
    offset += 1n
    id += 1n
  }
  const putMark = (operation: 'BEGIN' | 'COMMIT' | 'HEARTBEAT' | 'NOOP', time: number) => {
    const origin = { id, time, position: `idle@${layout.number}`, transaction: '' }
    put({
      kind: 'idle',
      entry: null,
      time,
      bracketsTransaction: operation === 'BEGIN' || operation === 'COMMIT',
      make: () => mark(operation, origin),
    })
  }
  const putIdle = (time: number) => {
    const what = random.pick(['HEARTBEAT', 'NOOP', 'filler', 'filler', 'control'] as const)
    if (what === 'HEARTBEAT' || what === 'NOOP') return putMark(what, time)
    const value = random.pick(fillers)
    const kind = what === 'control' ? what : 'idle'
    put({ kind, entry: null, time, bracketsTransaction: false, make: () => value })
  }

  const held = entries.slice(layout.first)
  if (held[0] !== undefined) appearsAt = layout.appearsAt(held[0])
  for (const time of layout.front) putMark('HEARTBEAT', time)
  let before = entries[layout.first - 1]
  for (const entry of held) {
    appearsAt = Math.max(appearsAt, layout.appearsAt(entry))
    const since = before?.clock ?? entry.clock
    const begins = before?.transaction !== entry.transaction
    if (layout.marks && begins && before !== undefined) putMark('COMMIT', before.clock)
    while (random.chance(layout.idle)) putIdle(random.whole(since, entry.clock))
    if (layout.marks && begins) putMark('BEGIN', entry.clock)
    const copy = { id, ...layout.hand }
    const { time } = entry
    put({ kind: 'entry', entry, time, bracketsTransaction: false, make: () => entry.encode(copy) })
    before = entry
  }
  for (const time of layout.behind) putMark('HEARTBEAT', time)
  return slots
}
