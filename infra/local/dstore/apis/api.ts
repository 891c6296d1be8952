import type { Broker, Session } from '../broker.ts'
import type { RequestReader, ResponseWriter } from '../wire.ts'

export interface Request {
  readonly version: number
  readonly clientId: string | null
  readonly body: RequestReader
}

/** Reads the request's body and writes the answer's body. Resolves to `no-answer` if the protocol has no answer. */
export type Handler = (
  request: Request,
  answer: ResponseWriter,
  broker: Broker,
  session: Session,
) => undefined | 'no-answer' | Promise<undefined | 'no-answer'>

/**
 * One API of the protocol, without the flexible versions (compact strings, tagged fields). Clients of Kafka 2.4 and
 * later fall back to the advertised versions.
 */
export interface Api {
  readonly key: number
  readonly min: number
  readonly max: number
  readonly handle: Handler
}
