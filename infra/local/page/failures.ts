import { printable } from '../../../lib/text/printable.ts'
import type { Letters } from '../../page/messages.ts'
import type { Observation } from '../observations.ts'

/** Older failures are forgotten. */
const mostFailures = 1_000

/** Knows what handlers threw. A dead letter has no text of its handler, because that may contain values of rows. */
export class Failures {
  /** By function, generation and offset. */
  readonly #thrown = new Map<string, string>()

  observe(observations: readonly Observation[]): void {
    for (const observation of observations) {
      if (observation.kind !== 'failed') continue
      const { error, function: name, generation, offset } = observation
      const place = error.place === null ? '' : ` at ${error.place}`
      this.#thrown.set(`${name} ${generation} ${offset}`, `${error.name}: ${error.message}${place}`)
    }
    for (const name of this.#thrown.keys()) {
      if (this.#thrown.size <= mostFailures) break
      this.#thrown.delete(name)
    }
  }

  /** The letters, each with what its handler threw and with the line of the user's code. */
  explain({ letters, waiting }: Letters): Letters {
    const explained = letters.map((letter) => {
      const thrown = this.#thrown.get(`${letter.function} ${letter.generation} ${letter.offset}`)
      return thrown === undefined ? letter : { ...letter, error: printable(thrown) }
    })
    return { letters: explained, waiting }
  }
}
