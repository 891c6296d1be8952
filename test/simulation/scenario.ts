import type { PollConfig } from '../../lib/config.ts'
import type { Route } from '../../lib/dispatch/settings.ts'
import type { Clock } from '../support/virtual-clock.ts'
import { chooseRates, type Kind, type Rates } from './faults.ts'
import { layOut } from './layout.ts'
import { Log, type LookUp } from './log.ts'
import { Random } from './random.ts'
import { t0 } from './records.ts'
import { type Entry, makeSource, plainDialect } from './source.ts'
import { type StrangeTimes, strangeTimes } from './strange-times.ts'
import { makeRouting, type Routing } from './tables.ts'

/** When every world begins, in milliseconds since 1970. */
export const worldStart = t0 * 1000 + 5_000

/** Everything that a seed chooses before the first event. */
export interface Scenario {
  readonly kind: Kind
  readonly seed: number
  readonly rates: Rates
  readonly calm: boolean
  readonly routing: Routing
  /** Which wrong times some changes have. */
  readonly strangeTimes: StrangeTimes
  readonly entries: readonly Entry[]
  readonly unreadable: readonly Entry[]
  readonly config: PollConfig
  readonly lookUp: LookUp
  /** The difference between the machines' clocks: none, within the lease's margin, or beyond it. */
  readonly skew: 'none' | 'within' | 'beyond'
  /** The clock error of each machine, in milliseconds. */
  readonly skews: readonly number[]
  readonly intervalsMs: readonly number[]
  /** How long a poller may run before Lambda ends it, in milliseconds. */
  readonly runMs: number
  /** After this time no fault begins, in milliseconds from the start. */
  readonly quietAfterMs: number
}

/** Worlds in which clusters change are small, so that more of them cover the many kinds of change. */
const sizes: Record<Kind, Size> = {
  faults: { counts: [30, 60, 120], spanMs: 240_000, quietMs: [60_000, 300_000], intervalMs: [5_000, 60_000] },
  switch: { counts: [12, 20, 40], spanMs: 40_000, quietMs: [30_000, 80_000], intervalMs: [5_000, 20_000] },
}

interface Size {
  readonly counts: readonly [number, ...number[]]
  readonly spanMs: number
  readonly quietMs: readonly [low: number, high: number]
  readonly intervalMs: readonly [low: number, high: number]
}

export function makeScenario(seed: number, kind: Kind): { scenario: Scenario; random: Random } {
  const random = new Random(seed)
  const rates = chooseRates(random, kind)
  const isCalm = Object.values(rates).every((rate) => rate === 0)
  const size = sizes[kind]
  const routing = makeRouting(
    random,
    new Random(seed + 1_000_000_007),
    new Random(seed + 2_000_000_011),
    new Random(seed + 3_000_000_019),
  )
  const handlerTimeoutMs = random.whole(2, 8) * 1000
  const pollers = isCalm || kind === 'switch' ? random.whole(1, 3) : random.whole(1, random.pick([2, 4, 8]))
  const skew = random.pick(['none', 'none', 'within', 'within', 'within', 'beyond'] as const)
  const spread = { none: 0, within: 2_500, beyond: 25_000 }[skew]
  const unroutedTables = kind === 'faults' && random.chance(0.2) ? 'halt' : 'skip'
  const strange = kind === 'switch' && random.chance(0.4) ? random.pick(strangeTimes) : 'none'
  const entries = makeSource(
    random,
    routing,
    unroutedTables,
    strange,
    { count: random.pick(size.counts), spanMs: size.spanMs, mostlyGood: kind === 'switch' },
    new Random(seed + 4_000_000_007),
  )
  const scenario: Scenario = {
    kind,
    seed,
    rates,
    calm: kind === 'faults' && isCalm && skew !== 'beyond',
    routing,
    strangeTimes: strange,
    entries,
    unreadable: entries.filter((entry) => entry.kind === 'unreadable'),
    config: makeConfig(
      random,
      new Random(seed + 2_000_000_011),
      kind,
      routing,
      handlerTimeoutMs,
      unroutedTables,
    ),
    lookUp: {
      before: random.pick(['nothing', 'earliest']),
      within: random.pick(['first', 'first', 'search', 'early']),
    },
    skew,
    skews: Array.from({ length: pollers }, () =>
      spread === 0 ? 0 : random.pick([-spread, random.whole(-spread, spread), spread]),
    ),
    intervalsMs: Array.from({ length: pollers }, () => random.whole(...size.intervalMs)),
    runMs: handlerTimeoutMs + 15_000 + random.whole(5, 90) * 1000,
    quietAfterMs: random.whole(...size.quietMs),
  }
  return { scenario, random }
}

/** The log that a world begins with. */
export function firstLog({ entries }: Scenario, random: Random, clock: Clock): Log {
  const last = entries.at(-1)?.clock ?? t0
  const slots = layOut(random, entries, {
    number: 1,
    first: 0,
    base: random.pick([0n, 1_000n, 1n << 60n]),
    // The first start's time, and sometimes one before it.
    front: random.chance(0.5) ? [t0 - 30, t0] : [t0],
    idle: random.pick([0, 0.1, 0.4]),
    marks: random.chance(0.5),
    dialect: plainDialect,
    appearsAt: ({ loggedAt }) => worldStart + loggedAt,
    after: [last + 1, last + 30],
  })
  return new Log('cluster-1', slots, entries.length, plainDialect, clock)
}

function makeConfig(
  random: Random,
  handOver: Random,
  kind: Kind,
  { functions }: Routing,
  handlerTimeoutMs: number,
  unroutedTables: 'skip' | 'halt',
): PollConfig {
  const routes: Record<string, Route> = {}
  for (const { name, routes: own, delivery } of functions) {
    for (const pattern of own) routes[pattern] = { ...delivery, functionName: name }
  }
  const hasQueue = kind === 'switch' || random.chance(0.95)
  const hasBucket = kind === 'switch' || random.chance(0.9)
  const maxRecords = random.pick([5, 20, 1_000, 1_000])
  const maxBytes = random.pick([2_000, 1_000_000_000, 1_000_000_000])
  const usualLingerMs = kind === 'switch' ? random.pick([0, 0, 0, 5_000]) : random.pick([0, 0, 5_000, 30_000])
  const handsOver = handOver.chance(0.4)
  return {
    source: '',
    broker: { host: 'broker', port: 18_001 },
    topic: 'topic',
    partition: 0,
    mode: 'dts',
    group: 'sid',
    user: undefined,
    password: undefined,
    tls: false,
    allowedNodes: [],
    startTime: t0,
    isOneOfSeveral: false,
    checkpointTable: 'checkpoints',
    deployment: { service: 'shop', stage: 'prod', table: 'checkpoints' },
    routes,
    unroutedTables,
    ghostTables: 'skip',
    handlerTimeoutMs,
    maxRecords,
    maxBytes,
    fetchBytes: 1_000_000,
    lingerMs: handsOver ? handOver.pick([5_000, 30_000, 90_000]) : usualLingerMs,
    handOver: handsOver,
    deadLetterQueueUrl: hasQueue ? 'queue' : undefined,
    deadLetterBucket: hasBucket ? 'bucket' : undefined,
    onClusterChange: kind === 'switch' && random.chance(0.35) ? 'recover' : 'halt',
  }
}
