import { type LocalRecord, Shop, type ShopRecord } from './shop.ts'

/** What an origin writes into. */
export interface LocalStream {
  append(records: readonly LocalRecord[]): Promise<unknown>
  /** Appends records without content. */
  filler(count: number): Promise<unknown>
  /** The number of records that the functions have before them. */
  waiting(): bigint
  /** Shows a person an event. */
  note(text: string): void
}

/** Where the changes of the local stream come from. */
export interface Origin {
  /** The source time at which the poller starts, in seconds. */
  readonly startTime: number
  readonly firstOffset: bigint
  /** The records that the stream begins with: the first one has the start time. */
  readonly first: readonly LocalRecord[]
  /** Writes until an abort. @param wait in milliseconds; ends early after an abort */
  write(stream: LocalStream, wait: (ms: number) => Promise<void>, signal: AbortSignal): Promise<void>
}

const secondMs = 1_000

/** A shop that sells all the time. @param now in seconds */
export function shopOrigin(now: number): Origin {
  const shop = new Shop(now)
  const sale = (second: number, at: number) => [
    shop.heartbeat(at),
    ...Array.from({ length: second % 4 }, () => shop.transaction(at)).flat(),
    ...(second % 120 === 0 ? [shop.ddl(at)] : []),
  ]
  return { startTime: now, firstOffset: 0n, first: [shop.heartbeat(now)], write: everySecond(sale) }
}

/** Given changes, then what DTS writes while the source is idle. @param now in seconds */
export function feedOrigin(changes: readonly ShopRecord[], now: number): Origin {
  return { ...startingWith(changes, now), write: idle(now) }
}

/** The start of a stream that has these changes. @param now in seconds */
export function startingWith(changes: readonly ShopRecord[], now: number): Omit<Origin, 'write'> {
  const startTime = changes.reduce((first, { timestamp }) => Math.min(first, timestamp), now)
  return { startTime, firstOffset: 0n, first: [new Shop(now).heartbeat(startTime), ...changes] }
}

/** What DTS writes while the source is idle. @param now in seconds */
export function idle(now: number): Origin['write'] {
  const shop = new Shop(now)
  return everySecond((_second, at) => [shop.heartbeat(at)])
}

/** @param records of a second, by its number and its time in seconds */
function everySecond(records: (second: number, at: number) => readonly ShopRecord[]): Origin['write'] {
  return async (stream, wait, signal) => {
    for (let second = 1; !signal.aborted; second++) {
      await wait(secondMs)
      await stream.append(records(second, Math.floor(Date.now() / 1000)))
      if (second % 10 === 0) await stream.filler(3)
    }
  }
}
