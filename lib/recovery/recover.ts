import type { DeadLetterSource } from '../dispatch/dead-letter-source.ts'
import { DtsError } from '../errors.ts'
import type { Stream } from '../kafka/stream.ts'
import * as z from '../schema.ts'
import {
  type DoctorResult,
  doctor,
  doctorSchema,
  type InspectDependencies,
  type Inspection,
  inspect,
  inspectSchema,
} from './examine/inspect.ts'
import { type LookResult, look, lookSchema } from './examine/look.ts'
import { type ResetResult, reset, resetSchema } from './move/reset.ts'
import {
  pause,
  pauseSchema,
  release,
  releaseSchema,
  resumeSchema,
  resumeStream,
  type StateResult,
} from './pause-resume.ts'
import {
  type DiscardResult,
  discard,
  discardSchema,
  type LettersResult,
  lettersSchema,
  listLetters,
} from './resend/letters.ts'
import { type RedriveResult, redrive, redriveSchema } from './resend/redrive.ts'
import { type ReplayResult, replay, replaySchema } from './resend/replay.ts'
import type { SendDependencies } from './resend/send.ts'

/** The actions that recovery knows. */
export const recoveryEventSchema = z.discriminatedUnion('action', [
  inspectSchema,
  doctorSchema,
  resetSchema,
  pauseSchema,
  resumeSchema,
  releaseSchema,
  redriveSchema,
  lettersSchema,
  discardSchema,
  replaySchema,
  lookSchema,
])
export type RecoveryEvent = z.output<typeof recoveryEventSchema>

export type RecoveryAnswer =
  | Inspection
  | DoctorResult
  | ResetResult
  | StateResult
  | RedriveResult
  | LettersResult
  | DiscardResult
  | ReplayResult
  | LookResult

export interface RecoverDependencies extends InspectDependencies, SendDependencies {}

/** Parses an event. @throws DtsError CONFIG_INVALID, with everything that is wrong */
export function parseRecoveryEvent(event: unknown): RecoveryEvent {
  const result = recoveryEventSchema.safeParse(event)
  if (result.success) return result.data
  throw new DtsError(
    'CONFIG_INVALID',
    `The event is not one that recovery knows: ${z.prettifyError(result.error).replaceAll('\n', ' ')}. Nothing was done.`,
    { retryable: false, next: [{ action: 'inspect' }] },
  )
}

/** Carries out an operator's action. Each is safe to repeat, and its answer says what it did. */
export async function recover(
  event: RecoveryEvent,
  dependencies: RecoverDependencies,
): Promise<RecoveryAnswer> {
  const withStream = async <Result>(action: (stream: Stream) => Promise<Result>): Promise<Result> => {
    const stream = await dependencies.openStream()
    try {
      return await action(stream)
    } finally {
      await stream.close()
    }
  }
  switch (event.action) {
    case 'inspect':
      return inspect(dependencies)
    case 'doctor':
      return doctor(dependencies)
    case 'reset':
      return withStream((stream) => reset(event, dependencies, stream))
    case 'pause':
      return pause(event, dependencies)
    case 'resume':
      return withStream((stream) => resumeStream(event, dependencies, stream))
    case 'release':
      return release(event, dependencies)
    case 'redrive':
      return redrive(event, { ...dependencies, deadLetters: requireQueue(dependencies.deadLetters) })
    case 'letters':
      return listLetters(event, { ...dependencies, deadLetters: requireQueue(dependencies.deadLetters) })
    case 'discard':
      return discard(event, { ...dependencies, deadLetters: requireQueue(dependencies.deadLetters) })
    case 'replay':
      return withStream((stream) => replay(event, dependencies, stream))
    case 'look':
      return withStream((stream) => look(event, dependencies, stream))
  }
}

function requireQueue(deadLetters: DeadLetterSource | undefined): DeadLetterSource {
  if (deadLetters !== undefined) return deadLetters
  throw new DtsError(
    'DEAD_LETTER_FAILED',
    'No dead-letter queue is configured (DEAD_LETTER_QUEUE_URL), so there are no dead letters.',
    { retryable: false },
  )
}
