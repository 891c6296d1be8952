import type { DtsError, ErrorCode, Facts, NextStep } from '../errors.ts'

/**
 * How recovery answers. By default for people: an error is thrown, and commands are written out for `serverless invoke`.
 * With `"reply": "data"` in the event, the caller writes the commands: errors are returned, and next steps are values only.
 */
export type ReplyForm = 'text' | 'data'

/** An error as an answer of recovery. */
export interface ReturnedError {
  readonly error: {
    readonly code: ErrorCode
    readonly message: string
    readonly facts: Facts
    readonly next: readonly NextStep[]
  }
}

/** Separates the form of the reply from the event; `"reply"` with any other value stays in the event, which is then refused. */
export function splitReply(event: unknown): { readonly event: unknown; readonly form: ReplyForm } {
  if (typeof event !== 'object' || event === null || !('reply' in event) || event.reply !== 'data')
    return { event, form: 'text' }
  const { reply: _, ...rest } = event
  return { event: rest, form: 'data' }
}

export function returnedError({ code, message, facts, next }: DtsError): ReturnedError {
  return { error: { code, message, facts, next } }
}
