import type { Stage } from './hazards.ts'
import { layOut } from './layout.ts'
import { Log, type Slot } from './log.ts'
import type { Parts } from './pollers.ts'
import { fillers, t0 } from './records.ts'
import { worldStart } from './scenario.ts'
import type { Dialect } from './source.ts'

/** Where the log of a new cluster begins. */
const extents = ['whole', 'whole', 'overlap', 'overlap', 'after', 'cut', 'gap'] as const
/** How the log is filled when the switch happens. */
const fillings = ['at once', 'at once', 'at once', 'shorter', 'slowly', 'empty'] as const

/** Replaces the cluster by another one. */
export class Switches {
  readonly #stage: Stage
  readonly #parts: Parts
  readonly #isBusy: () => boolean
  readonly #past: Log[]
  #clusters = 1

  /** @param isBusy whether a recovery may still write */
  constructor(stage: Stage, parts: Parts, isBusy: () => boolean) {
    this.#stage = stage
    this.#parts = parts
    this.#isBusy = isBusy
    this.#past = [parts.broker.log]
  }

  plan(): void {
    const { random, clock, scenario } = this.#stage
    for (let count = random.whole(1, 4); count > 0; count--) {
      clock.after(random.whole(5_000, scenario.quietAfterMs - 5_000), () => {
        if (!this.#stage.quiet && this.#stage.facts.checkpoint !== null) this.#switch()
      })
    }
  }

  #switch(): void {
    const { facts, random } = this.#stage
    const { broker } = this.#parts
    const back = this.#wayBack()
    const log = back ?? this.#newLog()
    if (log === null) return
    facts.fault(22)
    if (back !== null) facts.happened('switch: back to an older cluster')
    facts.log(() => {
      const { clusterId, earliest, end, dialect } = log
      const first = log.placeOf(earliest)
      return `${clusterId} replaces the cluster, from entry ${first}, offsets ${earliest} to ${end} ${JSON.stringify(dialect)}`
    })
    if (back === null) this.#past.push(log)
    broker.switchTo(log, random.chance(0.5))
  }

  /** Sometimes returns an older cluster whose id no other cluster has. */
  #wayBack(): Log | null {
    const { random } = this.#stage
    const { log: current } = this.#parts.broker
    const others = this.#past.filter(
      (log) =>
        log !== current && !this.#past.some((other) => other !== log && other.clusterId === log.clusterId),
    )
    const [older] = others
    return older !== undefined && random.chance(0.1) ? older : null
  }

  #newLog(): Log | null {
    const { facts, random, clock, scenario } = this.#stage
    const { entries } = scenario
    const current = this.#parts.broker.log
    const place = facts.coverage?.below ?? 0
    const extent = random.pick(extents)
    const filling = random.pick(fillings)
    const sameCluster = this.#mayKeepId() && random.chance(0.4)
    const kept = sameCluster && random.chance(0.4) ? this.#keptSlots(current) : []
    const first =
      kept.at(-1)?.entry == null ? this.#firstOf(extent, place) : (kept.at(-1)?.entry?.index ?? 0) + 1
    if (first > entries.length) return null
    this.#clusters += 1
    const dialect = sameCluster
      ? current.dialect
      : { rewritten: random.chance(0.12), untagged: random.chance(0.2) }
    const last = entries.at(-1)?.clock ?? t0
    const shownFrom = {
      'at once': entries.length,
      shorter: place - random.whole(1, 6),
      slowly: first,
      empty: -1,
    }[filling]
    const delays = {
      'at once': 0,
      shorter: random.whole(5, 40) * 1_000,
      slowly: 0,
      empty: random.whole(5, 40) * 1_000,
    }
    const stepMs = filling === 'slowly' ? random.pick([100, 1_000, 3_000] as const) : 0
    const now = clock.now
    const slots = layOut(random, entries, {
      number: this.#clusters,
      first,
      base: this.#base(kept.at(-1), current, sameCluster),
      front: this.#front(kept.length > 0 ? 'none' : extent, first),
      idle: random.pick([0, 0.1, 0.4]),
      marks: random.chance(0.5),
      dialect,
      appearsAt: ({ index, loggedAt }) => {
        const shown = index < shownFrom ? now : now + delays[filling] + (index - first) * stepMs
        return Math.max(worldStart + loggedAt, shown)
      },
      after: [last + 1, last + 30],
    })
    const all = [...kept, ...(sameCluster ? unlike(slots, current) : slots)]
    const clusterId = sameCluster ? current.clusterId : `cluster-${this.#clusters}`
    this.#tell(extent, filling, sameCluster, dialect, kept.length > 0, all, current)
    return new Log(clusterId, all, entries.length, dialect, clock)
  }

  /**
   * Only the last committed record distinguishes another log of the same cluster id. So the checkpoint must have such a
   * record of the current log, and no recovery may be about to move the checkpoint away from it.
   */
  #mayKeepId(): boolean {
    const { facts, scenario } = this.#stage
    const { checkpoint } = facts
    // A restored item may be older than its first commit, and have no such record.
    if (scenario.rates.checkpointDamaged > 0) return false
    if (checkpoint === null || checkpoint.tail === null || this.#isBusy()) return false
    const { log } = this.#parts.broker
    return facts.logOf(checkpoint) === log && checkpoint.tail.offset >= log.earliest
  }

  /** The slots that remain after the log is cut off below the last committed record. */
  #keptSlots(current: Log): readonly Slot[] {
    const { facts, random } = this.#stage
    const tail = facts.checkpoint?.tail?.offset ?? 0n
    const below = current.slots.filter(({ offset }) => offset < tail && offset >= current.earliest)
    const kept = below.slice(0, below.length - random.whole(0, 3))
    // The new part begins after an entry.
    while (kept.length > 0 && kept.at(-1)?.entry === null) kept.pop()
    return kept
  }

  #firstOf(extent: (typeof extents)[number], place: number): number {
    const { random, scenario } = this.#stage
    const { entries } = scenario
    switch (extent) {
      case 'whole':
        return 0
      case 'overlap':
        return Math.max(0, place - random.whole(1, 20))
      case 'after':
        return Math.min(place, entries.length)
      case 'gap':
        return Math.min(place + random.whole(1, 5), entries.length)
      case 'cut': {
        const from = Math.max(0, place - 4)
        const inside = entries.findIndex(({ ordinal }, index) => index >= from && ordinal > 0)
        return inside < 0 ? from : inside
      }
    }
  }

  #front(extent: (typeof extents)[number] | 'none', first: number): number[] {
    const { random, scenario } = this.#stage
    if (extent === 'none') return []
    if (first === 0) return random.chance(0.7) ? [t0 - 20] : []
    const [before, at] = [scenario.entries[first - 1]?.clock ?? t0, scenario.entries[first]?.clock]
    return random.chance(0.5) ? [random.whole(before, at ?? before)] : []
  }

  #base(kept: Slot | undefined, current: Log, sameCluster: boolean): bigint {
    const { random, facts } = this.#stage
    if (kept !== undefined) return kept.offset + 1n
    const { earliest, end } = current
    const near = earliest + BigInt(random.whole(-10, 10))
    // A log of the same id that begins right after the last committed record would be the same log.
    const tail = facts.checkpoint?.tail?.offset ?? 0n
    if (sameCluster) return random.pick([0n, earliest, near < 0n ? 0n : near > tail ? tail : near, 1n << 61n])
    return random.pick([
      0n,
      earliest,
      near < 0n ? 0n : near,
      end,
      end + BigInt(random.whole(1, 50)),
      1n << 61n,
    ])
  }

  #tell(
    extent: string,
    filling: string,
    sameCluster: boolean,
    dialect: Dialect,
    isCutOff: boolean,
    slots: readonly Slot[],
    current: Log,
  ): void {
    const { facts } = this.#stage
    facts.happened(`switch: ${isCutOff ? 'cut off and grown again' : `begins ${extent}`}`)
    facts.happened(`switch: filled ${filling}`)
    if (sameCluster) facts.happened('switch: same cluster id')
    if (dialect.rewritten) facts.happened('switch: written differently')
    if (dialect.untagged) facts.happened('switch: without tags of keys')
    const offset = facts.checkpoint?.offset ?? 0n
    const [first, last] = [slots[0]?.offset ?? 0n, slots.at(-1)?.offset ?? 0n]
    facts.happened(`switch: old offset ${offset < first ? 'below' : offset > last + 1n ? 'above' : 'valid'}`)
    if (first <= current.end && last >= current.earliest) facts.happened('switch: offsets overlap')
  }
}

/** Replaces each filler that the other log also has at that offset. Only records distinguish two logs of one id. */
function unlike(slots: readonly Slot[], other: Log): Slot[] {
  return slots.map((slot) => {
    if (other.slotAt(slot.offset)?.digest !== slot.digest) return slot
    const at = fillers.indexOf(slot.value as (typeof fillers)[number])
    return slot.with(() => fillers[(at + 1) % fillers.length] ?? null)
  })
}
