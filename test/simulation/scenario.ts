import type { PollConfig } from '../../lib/config.ts'
import { type Delivery, deliverySchema, type Route } from '../../lib/dispatch/settings.ts'
import { type Entry, makeEntries } from './entries.ts'
import { chooseRates, type Rates } from './faults.ts'
import { Random } from './random.ts'
import { t0 } from './records.ts'

/** When every world begins, in milliseconds since 1970. */
export const worldStart = t0 * 1000 + 5_000

export interface TableFunction {
  readonly name: string
  readonly tables: readonly string[]
  readonly delivery: Delivery
  /** Which side of `defineTable` the function uses. */
  readonly style: 'onChange' | 'onBatch'
  /** What one change takes, in milliseconds. */
  readonly workMs: number
}

/** What a seed stands for: everything that is chosen before the first event. */
export interface Scenario {
  readonly seed: number
  readonly rates: Rates
  readonly calm: boolean
  readonly functions: readonly TableFunction[]
  readonly entries: readonly Entry[]
  readonly config: PollConfig
  /** How the clocks of the machines differ: not, by no more than the margin in all, or by more. */
  readonly skew: 'none' | 'within' | 'beyond'
  /** Of each machine, in milliseconds. */
  readonly skews: readonly number[]
  readonly intervalsMs: readonly number[]
  /** How long a poller may run before Lambda ends it, in milliseconds. */
  readonly runMs: number
  /** When no fault begins any more, in milliseconds from the start. */
  readonly quietAfterMs: number
}

export function makeScenario(seed: number): { scenario: Scenario; random: Random } {
  const random = new Random(seed)
  const rates = chooseRates(random)
  const isCalm = Object.values(rates).every((rate) => rate === 0)
  const functions = makeFunctions(random)
  const handlerTimeoutMs = random.whole(2, 8) * 1000
  const pollers = isCalm ? random.whole(1, 3) : random.whole(1, random.pick([2, 4, 8]))
  const skew = random.pick(['none', 'none', 'within', 'within', 'within', 'beyond'] as const)
  const spread = { none: 0, within: 2_500, beyond: 25_000 }[skew]
  const unroutedTables = random.chance(0.2) ? 'halt' : 'skip'
  const entries = makeEntries(random, functions, unroutedTables)
  const scenario: Scenario = {
    seed,
    rates,
    calm: isCalm && skew !== 'beyond',
    functions,
    entries,
    config: makeConfig(random, functions, handlerTimeoutMs, unroutedTables),
    skew,
    skews: Array.from({ length: pollers }, () =>
      spread === 0 ? 0 : random.pick([-spread, random.whole(-spread, spread), spread]),
    ),
    intervalsMs: Array.from({ length: pollers }, () => random.whole(5, 60) * 1000),
    runMs: handlerTimeoutMs + 15_000 + random.whole(5, 90) * 1000,
    quietAfterMs: random.whole(60, 300) * 1000,
  }
  return { scenario, random }
}

function makeFunctions(random: Random): TableFunction[] {
  const count = random.whole(1, 4)
  const functions: TableFunction[] = []
  for (let index = 1; index <= count; index++) {
    const tables = random.chance(0.2) ? [`shop.t${index}`, `shop.u${index}`] : [`shop.t${index}`]
    const delivery = deliverySchema.parse({
      attempts: random.whole(1, 4),
      maxAgeSeconds: random.pick([5, 60, 3_600]),
      onFailure: random.chance(0.2) ? 'halt' : 'dead-letter',
      batchSize: random.pick([1, 2, 5, 20]),
      concurrency: random.chance(0.4) ? random.whole(2, 4) : 1,
      ...(random.chance(0.2) ? { operations: ['INSERT', 'UPDATE'] } : {}),
    })
    functions.push({
      name: `f${index}`,
      tables,
      delivery,
      style: random.chance(0.3) ? 'onBatch' : 'onChange',
      workMs: random.pick([0, 0, 5, 50, 400]),
    })
  }
  return functions
}

function makeConfig(
  random: Random,
  functions: readonly TableFunction[],
  handlerTimeoutMs: number,
  unroutedTables: 'skip' | 'halt',
): PollConfig {
  const routes: Record<string, Route> = {}
  for (const { name, tables, delivery } of functions) {
    for (const table of tables) routes[table] = { ...delivery, functionName: name }
  }
  return {
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
    checkpointTable: 'checkpoints',
    routes,
    unroutedTables,
    handlerTimeoutMs,
    maxRecords: random.pick([5, 20, 1_000, 1_000]),
    maxBytes: random.pick([2_000, 1_000_000_000, 1_000_000_000]),
    fetchBytes: 1_000_000,
    lingerMs: random.pick([0, 0, 5_000, 30_000]),
    deadLetterQueueUrl: random.chance(0.95) ? 'queue' : undefined,
    deadLetterBucket: random.chance(0.9) ? 'bucket' : undefined,
    onClusterChange: 'halt',
  }
}
