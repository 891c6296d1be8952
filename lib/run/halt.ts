import type { DtsError } from '../errors.ts'

/** Thrown where the stream has to be halted once what is in flight has ended. */
export class Halt extends Error {
  readonly reason: DtsError

  constructor(reason: DtsError) {
    super(reason.message)
    this.reason = reason
  }
}
