import type { Random } from './random.ts'

/** The faults that the simulation injects. docs/spec.md describes each number. */
export const faultNumbers = [
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
] as const
export type FaultNumber = (typeof faultNumbers)[number]
export type FaultCounts = Record<FaultNumber, number>

export function noFaults(): FaultCounts {
  return Object.fromEntries(faultNumbers.map((number) => [number, 0])) as FaultCounts
}

/** The probability of each fault at each place where it can happen; 0 if the world leaves it out. */
export interface Rates {
  kill: number
  freeze: number
  /** The share of freezes after which the process thaws into a new invocation. */
  thawIntoNew: number
  writeReplyLost: number
  writeDelayed: number
  throttleWindow: number
  checkpointDamaged: number
  paused: number
  handlerFails: number
  nonsense: number
  invokeReplyLost: number
  refused: number
  refusedWindow: number
  deadLetterFails: number
  offsetSpurious: number
  fetchFails: number
  /** Every fetch from some offset on is damaged. */
  damagedWindow: number
  /** A batch is larger than the reader's limit. */
  hugeWindow: number
  credentialsWindow: number
  trimmed: number
  slowHandlers: number
  /** A recovery dies at one of its awaits. */
  recoveryKilled: number
}

const calm: Rates = {
  kill: 0,
  freeze: 0,
  thawIntoNew: 0,
  writeReplyLost: 0,
  writeDelayed: 0,
  throttleWindow: 0,
  checkpointDamaged: 0,
  paused: 0,
  handlerFails: 0,
  nonsense: 0,
  invokeReplyLost: 0,
  refused: 0,
  refusedWindow: 0,
  deadLetterFails: 0,
  offsetSpurious: 0,
  fetchFails: 0,
  damagedWindow: 0,
  hugeWindow: 0,
  credentialsWindow: 0,
  trimmed: 0,
  slowHandlers: 0,
  recoveryKilled: 0,
}

/** The rate of each fault in a world that has it. Faults that end a run have low rates, so that worlds make progress. */
const usual: Rates = {
  kill: 0.01,
  freeze: 0.01,
  thawIntoNew: 0.5,
  writeReplyLost: 0.1,
  writeDelayed: 0.1,
  throttleWindow: 1,
  checkpointDamaged: 1,
  paused: 1,
  handlerFails: 0.15,
  nonsense: 0.15,
  invokeReplyLost: 0.1,
  refused: 0.2,
  refusedWindow: 1,
  deadLetterFails: 0.5,
  offsetSpurious: 0.02,
  fetchFails: 0.05,
  damagedWindow: 1,
  hugeWindow: 1,
  credentialsWindow: 1,
  trimmed: 1,
  slowHandlers: 1,
  recoveryKilled: 0.5,
}

/** Faults that end a stream permanently are in few worlds, because they hide all later ones. */
const rare: ReadonlySet<keyof Rates> = new Set([
  'offsetSpurious',
  'trimmed',
  'damagedWindow',
  'hugeWindow',
  'checkpointDamaged',
])

/** `faults`: one log, and everything else fails. `switch`: clusters change, and people restore the stream. */
export type Kind = 'faults' | 'switch'
export const kinds: readonly Kind[] = ['faults', 'switch']

/** The faults that each kind of world leaves out. A large change, for instance, would halt a stream permanently. */
export const leftOut: Readonly<Record<Kind, readonly FaultNumber[]>> = { faults: [22, 23], switch: [16] }

export function chooseRates(random: Random, kind: Kind): Rates {
  const rates = { ...calm }
  if (random.chance(0.08)) return rates
  const share = random.pick(kind === 'faults' ? ([0.1, 0.2, 0.3] as const) : ([0.05, 0.1, 0.15] as const))
  for (const name of Object.keys(rates) as (keyof Rates)[]) {
    if (random.chance(rare.has(name) ? share / 4 : share))
      rates[name] = usual[name] * random.pick([0.5, 1, 2])
  }
  if (rates.freeze > 0) rates.thawIntoNew = 0.5
  if (kind === 'switch') Object.assign(rates, ofSwitches(random))
  return rates
}

/** The rates of the faults that matter to recovery. */
function ofSwitches(random: Random): Partial<Rates> {
  return {
    checkpointDamaged: random.chance(0.15) ? usual.checkpointDamaged : 0,
    offsetSpurious: 0,
    recoveryKilled: random.chance(0.5) ? usual.recoveryKilled : 0,
    trimmed: random.chance(0.1) ? usual.trimmed : 0,
    damagedWindow: random.chance(0.05) ? usual.damagedWindow : 0,
    hugeWindow: random.chance(0.03) ? usual.hugeWindow : 0,
  }
}
