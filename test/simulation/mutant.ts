import type { Kind } from './faults.ts'

/** One hand-made fault in the project's code. */
export interface Mutant {
  readonly name: string
  /** In which worlds it is looked for; `faults` when left out. */
  readonly kind?: Kind
  readonly file: string
  /**
   * Where in the file: the beginning of the function or block, such as `async acquire(`. Left out where `find` alone is
   * there once.
   */
  readonly within?: string
  /** The code that is replaced. It is found by its tokens, so that it may be formatted in any way; see `findPlace`. */
  readonly find: string
  /** What takes its place; nothing when left empty. */
  readonly put: string
}
