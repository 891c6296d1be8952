import type { Broker, Session } from '../broker.ts'
import type { RequestReader, ResponseWriter } from '../wire.ts'

export interface Request {
  readonly version: number
  readonly clientId: string | null
  readonly body: RequestReader
}

/** Reads the request's body and writes the answer's. Resolves to `no-answer` where the protocol has none. */
export type Handler = (
  request: Request,
  answer: ResponseWriter,
  broker: Broker,
  session: Session,
) => undefined | 'no-answer' | Promise<undefined | 'no-answer'>

/**
 * One API of the protocol. No version reaches the flexible ones (compact strings, tagged fields): clients of
 * Kafka 2.4 and later fall back to what is advertised.
 */
export interface Api {
  readonly key: number
  readonly min: number
  readonly max: number
  readonly handle: Handler
}
