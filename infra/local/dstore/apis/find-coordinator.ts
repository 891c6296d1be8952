import { nodeId } from '../broker.ts'
import { protocolErrors } from '../protocol-errors.ts'
import type { Api } from './api.ts'

/**
 * FindCoordinator Request (0-2) => key:string key_type:int8 (1+)
 * FindCoordinator Response => throttle_time_ms:int32 (1+) error_code:int16 error_message:nullable_string (1+)
 *                             node_id:int32 host:string port:int32
 *
 * Answers for any group. The APIs that follow refuse a group that is not the sid.
 */
export const findCoordinator: Api = {
  key: 10,
  min: 0,
  max: 2,
  handle({ version }, answer, broker) {
    const { host, port } = broker.advertised
    if (version >= 1) answer.writeInt32(0)
    answer.writeInt16(protocolErrors.NONE)
    if (version >= 1) answer.writeString(null)
    answer.writeInt32(nodeId).writeString(host).writeInt32(port)
    return undefined
  },
}
