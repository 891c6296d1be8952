import type { HeldLease } from '../checkpoint/held-lease.ts'
import type { Dispatcher } from '../dispatch/dispatcher.ts'
import { DtsError } from '../errors.ts'
import { identifiedLanes, identifyRouted } from '../log/anchor.ts'
import type { ReadWindow } from '../log/read-window.ts'
import type { CommitState } from './decide.ts'
import type { Outlet } from './outlet.ts'
import type { PollSummary } from './summary.ts'

/** The wait after a failed commit, in milliseconds. It doubles from the first to the last. */
const commitAgain = { firstMs: 200, lastMs: 3_200 }

export interface ProgressParts {
  readonly lease: HeldLease
  readonly dispatcher: Dispatcher
  readonly readWindow: ReadWindow
  readonly outlet: Outlet
  readonly summary: PollSummary
  readonly now: () => number
}

/** Moves the position to the first offset that is not done, and commits it. */
export class Progress {
  readonly #parts: ProgressParts
  /** Something was done, or failed, since the last commit. */
  #pending = false
  #lastCommit: number
  /** The pause after a failed commit, in milliseconds after the attempt. */
  #pauseMs = 0

  constructor(parts: ProgressParts) {
    this.#parts = parts
    this.#lastCommit = parts.now()
  }

  /** Something was done, or failed. */
  changed(): void {
    this.#pending = true
  }

  get state(): CommitState {
    return {
      pending: this.#pending,
      last: this.#lastCommit,
      pauseMs: this.#pauseMs,
      leaseCoversInvocation: this.#parts.lease.coversInvocation(),
    }
  }

  /** Releases the memory of finished slices now. Until the next commit there could be many. */
  releaseDone(): void {
    const { readWindow } = this.#parts
    const done = this.#doneTo
    // The loop comes by much more often than a slice is done, and an advance hashes records.
    if (readWindow.freesAt(done)) readWindow.advanceTo(done)
  }

  /** Moves the position in memory to the first offset that is not done. */
  advance(): void {
    const { lease, dispatcher, readWindow, outlet } = this.#parts
    const offset = this.#doneTo
    const place = readWindow.advanceTo(offset)
    const lanes = identifiedLanes(dispatcher.statesAt(offset), lease.position.lanes, (through) =>
      readWindow.anchorAt(through, identifyRouted),
    )
    lease.advance({ ...place, lanes, deadLetters: outlet.deadLetters })
  }

  /** @throws DtsError LEASE_LOST, and if the checkpoint table needs a person */
  async commit(): Promise<void> {
    const { lease, summary, now } = this.#parts
    this.advance()
    // Work that is done during the write is not part of it.
    this.#pending = false
    const startedAt = now()
    try {
      await lease.commit(lease.position)
      summary.commits += 1
      this.#pauseMs = 0
    } catch (error) {
      this.#pending = true
      this.#pauseMs = Math.min(commitAgain.lastMs, Math.max(commitAgain.firstMs, 2 * this.#pauseMs))
      // DynamoDB may work again in a moment. Until then, no invocation starts that the lease does not cover.
      if (!(error instanceof DtsError && error.code === 'CHECKPOINT_TABLE_UNAVAILABLE' && error.retryable))
        throw error
    }
    this.#lastCommit = now()
    summary.milliseconds.commit += now() - startedAt
  }

  /** Everything below this offset is done. */
  get #doneTo(): bigint {
    const { dispatcher, readWindow } = this.#parts
    return dispatcher.firstUndone ?? readWindow.end
  }
}
