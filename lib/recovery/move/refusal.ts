import type { DtsError } from '../../errors.ts'

/** Why a move is not made. */
export type RefusalReason =
  /** There is no checkpoint, and no place was named. */
  | 'no-checkpoint'
  /** The item was restored from a backup: a person has to choose between it and the group's commit. */
  | 'restored'
  /** The place that was named does not exist in this log. */
  | 'no-such-place'
  /** The group's last commit is of another deployment. */
  | 'group-shared'
  /** The group did not answer, and its answer is needed. */
  | 'group-unanswered'
  /** The log holds no record, so that no place in it has a time. */
  | 'empty-log'
  /** The log has not reached the checkpoint's time yet. */
  | 'not-there-yet'
  /** Damage hides the records that would decide, or the search was too long for this invocation. */
  | 'unreadable'
  /** The move loses changes, and the request does not accept that. */
  | 'loss-not-accepted'

/** The decision not to move. The error says why, for people. */
export interface Refusal {
  readonly kind: 'refusal'
  readonly reason: RefusalReason
  readonly error: DtsError
}

export function refuse(reason: RefusalReason, error: DtsError): Refusal {
  return { kind: 'refusal', reason, error }
}
