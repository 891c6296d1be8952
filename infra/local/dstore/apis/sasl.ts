import type { Broker, Session } from '../broker.ts'
import { protocolErrors } from '../protocol-errors.ts'
import type { Api } from './api.ts'

const mechanism = 'PLAIN'

/**
 * SaslHandshake Request (0-1) => mechanism:string
 * SaslHandshake Response => error_code:int16 [mechanism:string]
 *
 * After version 0 the client sends the SASL token as a bare frame, after version 1 in SaslAuthenticate.
 */
export const saslHandshake: Api = {
  key: 17,
  min: 0,
  max: 1,
  handle({ version, body }, answer, _broker, session) {
    const known = body.readText() === mechanism
    if (known) session.state = version === 0 ? 'raw-token' : 'handshaken'
    answer.writeInt16(known ? protocolErrors.NONE : protocolErrors.UNSUPPORTED_SASL_MECHANISM)
    answer.writeEach([mechanism], (name) => answer.writeString(name))
    return undefined
  },
}

/**
 * SaslAuthenticate Request (0-1) => auth_bytes:bytes
 * SaslAuthenticate Response => error_code:int16 error_message:nullable_string auth_bytes:bytes
 *                              session_lifetime_ms:int64 (1+)
 */
export const saslAuthenticate: Api = {
  key: 36,
  min: 0,
  max: 1,
  handle({ version, body }, answer, broker, session) {
    const accepted = authenticate(body.readBytes() ?? Buffer.alloc(0), broker, session)
    answer.writeInt16(accepted ? protocolErrors.NONE : protocolErrors.SASL_AUTHENTICATION_FAILED)
    answer.writeString(accepted ? null : 'Authentication failed: user, sid or password is wrong')
    answer.writeBytes(Buffer.alloc(0))
    if (version >= 1) answer.writeInt64(0n)
    return undefined
  },
}

/**
 * SASL/PLAIN token => authorization_id NUL user NUL password
 *
 * The user of a DStore is `<user>-<sid>`.
 */
export function authenticate(token: Buffer, broker: Broker, session: Session): boolean {
  const [, user, password] = token.toString('utf8').split('\0')
  const expectedUser = broker.sid === null ? broker.user : `${broker.user}-${broker.sid}`
  const accepted = !broker.credentialsRefused && user === expectedUser && password === broker.password
  if (!accepted) broker.counters.credentialsRefused += 1
  session.state = accepted ? 'authenticated' : 'refused'
  return accepted
}
