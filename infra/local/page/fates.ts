import type { Checkpoint } from '../../../lib/checkpoint/types.ts'
import type { Fate } from '../../page/messages.ts'
import type { Observation } from '../observations.ts'
import type { Trouble } from '../troubles.ts'
import type { LoggedChange } from './describe-record.ts'
import type { LetterNote } from './letter-box.ts'

interface Delivery {
  readonly offset: string
  readonly generation: number
  readonly at: number
  readonly times: number
}

/** Older deliveries are forgotten. */
const mostDeliveries = 20_000

/** The facts that fates are judged by. */
export interface Known {
  /** Read before the observations, so that a change below its offset has been observed if it was delivered. */
  readonly checkpoint: Checkpoint | null
  readonly clusterId: string
  readonly troubles: readonly Trouble[]
  readonly letters: readonly LetterNote[]
  readonly isHandled: (table: string) => boolean
}

/** Knows what became of changes. On another cluster of the emulator, a change has another offset but the same id. */
export class Fates {
  readonly #deliveries = new Map<string, Delivery>()

  observe(observations: readonly Observation[], now: number): void {
    for (const observation of observations) {
      if (observation.kind !== 'handled') continue
      const { table, id, offset, generation } = observation
      const name = `${id} ${table}`
      const times = (this.#deliveries.get(name)?.times ?? 0) + 1
      // The newest ones are at the end of the map.
      this.#deliveries.delete(name)
      this.#deliveries.set(name, { offset, generation, at: now, times })
    }
    for (const name of this.#deliveries.keys()) {
      if (this.#deliveries.size <= mostDeliveries) break
      this.#deliveries.delete(name)
    }
  }

  of(change: LoggedChange, { checkpoint, clusterId, troubles, letters, isHandled }: Known): Fate {
    const isSameLog = checkpoint?.clusterId === clusterId
    const delivery = this.#deliveries.get(`${change.id} ${change.table}`)
    // A feed can use an id twice. Within one generation of this log, a change has one offset.
    const isOther =
      isSameLog && delivery?.generation === checkpoint.generation && BigInt(delivery.offset) !== change.offset
    if (delivery !== undefined && !isOther) return { kind: 'delivered', ...delivery }
    const letter = letters.find(
      ({ table, offset, generation }) =>
        isSameLog &&
        offset === change.offset &&
        table === change.table &&
        generation === checkpoint.generation,
    )
    if (letter !== undefined) return { kind: 'dead', reason: letter.reason }
    const trouble = troubles.find(
      ({ offset, generation }) =>
        isSameLog && offset === change.offset && generation === checkpoint.generation,
    )
    if (trouble !== undefined) return { kind: 'failing', reason: trouble.reason }
    if (!isHandled(change.table)) return { kind: 'unhandled' }
    const isPassed = isSameLog && change.offset < checkpoint.offset
    return isPassed ? { kind: 'passed', reason: null } : { kind: 'waiting' }
  }
}
