import type { Broker } from '../broker.ts'
import { type ProtocolError, protocolErrors } from '../protocol-errors.ts'
import type { ResponseWriter } from '../wire.ts'
import type { Api } from './api.ts'

/**
 * ApiVersions Request (0-2) =>
 * ApiVersions Response => error_code:int16 [api_key:int16 min_version:int16 max_version:int16]
 *                         throttle_time_ms:int32 (1+)
 */
export const apiVersions: Api = {
  key: 18,
  min: 0,
  max: 2,
  handle({ version }, answer, broker) {
    writeVersions(answer, broker, protocolErrors.NONE)
    if (version >= 1) answer.writeInt32(0)
    return undefined
  },
}

/**
 * The answer to a version that the broker does not know. It has the form of version 0, which every client can read.
 */
export function writeUnsupportedVersion(answer: ResponseWriter, broker: Broker): void {
  writeVersions(answer, broker, protocolErrors.UNSUPPORTED_VERSION)
}

function writeVersions(answer: ResponseWriter, broker: Broker, error: ProtocolError): void {
  answer.writeInt16(error)
  answer.writeEach(broker.advertisedVersions, ({ key, min, max }) => {
    answer.writeInt16(key).writeInt16(min).writeInt16(max)
  })
}
