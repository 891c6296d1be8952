import type { Step } from '../page/recovery-answer.ts'
import { stepLines } from './steps.ts'

/** More events than any screen shows. */
const mostEvents = 100

/** What the live view shows beside the state of the stream. */
export class Screen {
  readonly #say: (line: string) => void
  #events: string[] = []
  #steps: readonly Step[] = []

  /** @param say called with each event at once */
  constructor(say: (line: string) => void) {
    this.#say = say
  }

  /** The last events, newest at the end. */
  get events(): readonly string[] {
    return this.#events
  }

  note(text: string): void {
    const line = `${new Date().toISOString().slice(11, 19)}  ${text}`
    this.#events = [...this.#events, line].slice(-mostEvents)
    this.#say(line)
  }

  get stepLines(): string[] {
    return stepLines(this.#steps)
  }

  offer(steps: readonly Step[]): void {
    this.#steps = steps
  }

  /** What the key `number` does; undefined if it does nothing. */
  step(number: number): Step | undefined {
    return this.#steps[number - 1]
  }
}
