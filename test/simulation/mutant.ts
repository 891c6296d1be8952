import type { Kind } from './faults.ts'

/** A fault made by hand in the project's code. The simulation must notice it. */
export interface Mutant {
  readonly name: string
  /** The kind of worlds that must notice it; `faults` if left out. */
  readonly kind?: Kind
  readonly file: string
  /**
   * The beginning of the function or block that contains `find`, such as `async acquire(`. Left out if the file contains
   * `find` once.
   */
  readonly within?: string
  /** The code that is replaced. It is found by its tokens, so that it may be formatted in any way; see `findPlace`. */
  readonly find: string
  /** The code that replaces it; may be empty. */
  readonly put: string
  /**
   * A seed that is played first, for a fault that few worlds notice. It saves time only: once it no longer notices the
   * fault, the search goes on from seed 1.
   */
  readonly seed?: number
}
