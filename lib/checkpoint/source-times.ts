/**
 * The course of the source's times, measured on the stream itself. A single change can be dated hours ahead (`SET TIMESTAMP`, a
 * clock step) or hours back (a long transaction). So neither the last time nor the highest one shows how far a stream has got.
 * All times and distances are in seconds.
 */

/** The distances of records' times from the stream's own time. */
export interface Distance {
  /** The furthest. */
  readonly once: number
  /** The furthest but one, so that a single transaction decides nothing. */
  readonly often: number
}

/** Records that are dated ahead, while it is not known whether the source's clock really moved there. */
export interface Jump {
  /** The lowest of their times, and the last one. */
  readonly from: number
  readonly to: number
  /** The distance of `from` ahead of the settled time when it came. */
  readonly width: number
}

export interface SourceTimes {
  /** How far the stream has got. Single records that are dated ahead do not raise it. */
  readonly settled: number
  readonly jump: Jump | null
  /** The depth of the current fall below `settled`; 0 if there is no fall. */
  readonly fall: number
  readonly back: Distance
  readonly ahead: Distance
  /** The value of `settled` when the distances were last halved. Old distances count less and less. */
  readonly halvedAt: number
  /** The highest time of all records that were read, also beyond the position: their changes may have been sent. */
  readonly youngest: number
}

/** Source times may always go back or ahead by this much. */
export const leastMargin = 10
/** An unconfirmed date further ahead than this is treated as wrong. */
export const furthestJump = 600
const day = 86_400

const none: Distance = { once: 0, often: 0 }

export function startOfTimes(settled: number, youngest = settled): SourceTimes {
  return { settled, jump: null, fall: 0, back: none, ahead: none, halvedAt: settled, youngest }
}

/** Measures the times of records, one by one, in the order of the log. */
export class SourceClock {
  #settled: number
  #jump: Jump | null
  #fall: number
  #back: Distance
  #ahead: Distance
  #halvedAt: number

  constructor(times: SourceTimes) {
    this.#settled = times.settled
    this.#jump = times.jump
    this.#fall = times.fall
    this.#back = times.back
    this.#ahead = times.ahead
    this.#halvedAt = times.halvedAt
  }

  /** @param youngest the highest time of all records that were read */
  times(youngest: number): SourceTimes {
    return {
      settled: this.#settled,
      jump: this.#jump,
      fall: this.#fall,
      back: this.#back,
      ahead: this.#ahead,
      halvedAt: this.#halvedAt,
      youngest,
    }
  }

  see(time: number): void {
    if (time < this.#settled) {
      this.#endJump()
      this.#fall = Math.max(this.#fall, this.#settled - time)
    } else if (time <= this.#settled + leastMargin + this.#back.often) {
      this.#endJump()
      this.#endFall()
      this.#settle(time)
    } else {
      this.#follow(time)
    }
  }

  /** Accepts that the source's clock jumped ahead, once it has moved on there by the width of the jump. */
  #follow(time: number): void {
    const jump = this.#jump
    if (jump === null || time < jump.from) {
      this.#jump = { from: time, to: time, width: time - this.#settled }
      return
    }
    const step = time - jump.to
    if (step < -leastMargin) this.#jump = { ...jump, to: time }
    if (step <= 0) return
    // One record counts for at most half of the way, however far ahead it is.
    const counted = Math.min(step, Math.max(leastMargin, Math.ceil(jump.width / 2)))
    const to = jump.to + counted
    this.#jump = { ...jump, to }
    // Until then, the settled time continues from its old value, as after a step of the clock.
    this.#settle(this.#settled + Math.min(step, leastMargin))
    if (to - jump.from < jump.width && this.#settled < jump.from) return
    this.#jump = null
    this.#endFall()
    this.#settle(Math.max(this.#settled, to))
  }

  #settle(time: number): void {
    this.#settled = time
    const days = Math.floor((time - this.#halvedAt) / day)
    if (days < 1) return
    this.#halvedAt = time
    const halved = ({ once, often }: Distance) => ({
      once: Math.floor(once / 2 ** days),
      often: Math.floor(often / 2 ** days),
    })
    this.#back = halved(this.#back)
    this.#ahead = halved(this.#ahead)
  }

  #endJump(): void {
    if (this.#jump === null) return
    this.#ahead = further(this.#ahead, this.#jump.to - this.#settled)
    this.#jump = null
  }

  #endFall(): void {
    if (this.#fall === 0) return
    this.#back = further(this.#back, this.#fall)
    this.#fall = 0
  }
}

function further({ once, often }: Distance, by: number): Distance {
  return by > once ? { once: by, often: once } : { once, often: Math.max(often, by) }
}

/** The times of a position. */
interface Timed {
  /** The running maximum. */
  readonly timestamp: number
  readonly times: SourceTimes | null
  readonly anchor: { readonly timestamp: number } | null
}

/** Of a position that was stored without them: nothing was measured, so the lower of what is known counts. */
export function timesOf({ timestamp, times, anchor }: Timed): SourceTimes {
  return times ?? startOfTimes(Math.min(timestamp, anchor?.timestamp ?? timestamp), timestamp)
}

/** A record older than this is before the position, unless times go back further than measured. */
export function certainlyBefore({ settled, fall, back }: SourceTimes): number {
  return settled - leastMargin - Math.max(fall, back.often)
}

/** A log that has reached this time has reached the position. */
export function levelToReach(position: Timed): number {
  const { settled, fall } = timesOf(position)
  return position.timestamp - settled <= furthestJump ? position.timestamp : settled - fall
}

/** The time of a position, to compute a lag. A date in the future does not show how far the stream got. */
export function reachedTime(position: Timed, nowSeconds: number): number {
  return position.timestamp <= nowSeconds ? position.timestamp : timesOf(position).settled
}
