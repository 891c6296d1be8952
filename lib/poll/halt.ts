import type { DtsError } from '../errors.ts'

/** Thrown to halt the stream after everything in flight has ended. */
export class Halt extends Error {
  readonly reason: DtsError

  constructor(reason: DtsError) {
    super(reason.message)
    this.reason = reason
  }
}
