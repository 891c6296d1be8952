import { Slot } from './log.ts'
import type { Random } from './random.ts'
import { fillers, mark } from './records.ts'
import type { Dialect, Entry } from './source.ts'

/** How a cluster writes the source's entries into its log. */
export interface Layout {
  /** Distinguishes the records of one log from those of another. */
  readonly number: number
  /** The first entry in the log, by its place in the order of the source. */
  readonly first: number
  /** The first offset of the log. */
  readonly base: bigint
  /** Times (seconds) of heartbeats before the first entry. */
  readonly front: readonly number[]
  /** How likely an idle record is between two others. */
  readonly idle: number
  /** Whether transactions are bracketed by BEGIN and COMMIT. */
  readonly marks: boolean
  readonly dialect: Dialect
  /** When an entry becomes readable, by the world's clock, in milliseconds. */
  readonly appearsAt: (entry: Entry) => number
  /** Times (seconds) of heartbeats after the last entry, as an idle source sends them. */
  readonly after: readonly number[]
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
    const copy = { id, ...layout.dialect }
    const { time } = entry
    put({ kind: 'entry', entry, time, bracketsTransaction: false, make: () => entry.encode(copy) })
    before = entry
  }
  // Without chance, so that the rest of the log is the same with and without it.
  if (layout.marks && before !== undefined) {
    const [origin, time] = [
      { id, time: before.clock, position: `end@${layout.number}`, transaction: '' },
      before.clock,
    ]
    const end = { kind: 'idle' as const, entry: null, time, bracketsTransaction: true, offset, appearsAt }
    slots.push(new Slot(end, () => mark('COMMIT', origin)))
    offset += 1n
    id += 1n
  }
  for (const time of layout.after) putMark('HEARTBEAT', time)
  return slots
}
