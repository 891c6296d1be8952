import type { Sample } from './messages.ts'

/** Ten minutes. */
const mostSamples = 600

/** The last minutes of the stream, for the plots. */
export class Samples {
  #kept: Sample[] = []
  #next = 1

  add(sample: Omit<Sample, 'number'>): void {
    this.#kept.push({ number: this.#next, ...sample })
    this.#next += 1
    if (this.#kept.length > mostSamples) this.#kept.shift()
  }

  /** Those after the sample `number`, oldest first. */
  after(number: number): readonly Sample[] {
    return this.#kept.filter((sample) => sample.number > number)
  }
}
