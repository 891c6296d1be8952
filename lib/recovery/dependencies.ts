import type { CheckpointStore } from '../checkpoint/store.ts'
import type { Stream } from '../kafka/stream.ts'

export interface RecoveryDependencies {
  readonly store: CheckpointStore
  readonly openStream: () => Promise<Stream>
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Milliseconds until this invocation is ended. */
  readonly remainingMs: () => number
  /** Unique to this invocation. */
  readonly owner: string
}
