import { isGroupRefused } from '../broker.ts'
import { newMemberId } from '../groups.ts'
import { protocolErrors } from '../protocol-errors.ts'
import type { ResponseWriter } from '../wire.ts'
import type { Api } from './api.ts'

/**
 * JoinGroup Request (0-5) => group_id:string session_timeout_ms:int32 rebalance_timeout_ms:int32 (1+)
 *   member_id:string group_instance_id:nullable_string (5+) protocol_type:string
 *   [protocol:string metadata:bytes]
 * JoinGroup Response => throttle_time_ms:int32 (2+) error_code:int16 generation_id:int32 protocol:string
 *   leader:string member_id:string [member_id:string group_instance_id:nullable_string (5+) metadata:bytes]
 *
 * From version 4 on, a member without an id gets one and must join again with it.
 */
export const joinGroup: Api = {
  key: 11,
  min: 0,
  max: 5,
  handle({ version, clientId, body }, answer, broker) {
    const groupId = body.readText()
    const sessionTimeoutMs = body.readInt32()
    if (version >= 1) body.readInt32()
    const askedId = body.readText()
    const instanceId = version >= 5 ? body.readString() : null
    body.readText()
    const [protocol] = body.readEach(() => ({ name: body.readText(), metadata: body.readBytes() }))
    const memberId = askedId || newMemberId(clientId)

    const refuse = (error: number) => {
      if (version >= 2) answer.writeInt32(0)
      answer
        .writeInt16(error)
        .writeInt32(-1)
        .writeString('')
        .writeString('')
        .writeString(memberId)
        .writeInt32(0)
      return undefined
    }
    if (isGroupRefused(broker, groupId)) return refuse(protocolErrors.INVALID_GROUP_ID)
    if (!protocol) return refuse(protocolErrors.INVALID_REQUEST)
    if (version >= 4 && askedId === '' && instanceId === null)
      return refuse(protocolErrors.MEMBER_ID_REQUIRED)
    const member = broker.groups.of(groupId).join(memberId, {
      protocol: protocol.name,
      subscription: protocol.metadata ?? Buffer.alloc(0),
      sessionTimeoutMs,
    })
    if (typeof member === 'number') return refuse(member)

    if (version >= 2) answer.writeInt32(0)
    answer.writeInt16(protocolErrors.NONE).writeInt32(member.generation).writeString(member.protocol)
    answer.writeString(member.id).writeString(member.id)
    answer.writeEach([member], ({ id, subscription }) => {
      answer.writeString(id)
      if (version >= 5) answer.writeString(instanceId)
      answer.writeBytes(subscription)
    })
    return undefined
  },
}

/**
 * SyncGroup Request (0-3) => group_id:string generation_id:int32 member_id:string
 *   group_instance_id:nullable_string (3+) [member_id:string assignment:bytes]
 * SyncGroup Response => throttle_time_ms:int32 (1+) error_code:int16 assignment:bytes
 *
 * The only member is the leader and sends its own assignment.
 */
export const syncGroup: Api = {
  key: 14,
  min: 0,
  max: 3,
  handle({ version, body }, answer, broker) {
    const groupId = body.readText()
    const generation = body.readInt32()
    const memberId = body.readText()
    if (version >= 3) body.readString()
    const assignments = body.readEach(() => ({ memberId: body.readText(), assignment: body.readBytes() }))

    const error = isGroupRefused(broker, groupId)
      ? protocolErrors.INVALID_GROUP_ID
      : broker.groups.of(groupId).check(memberId, generation)
    const own = assignments.find((assignment) => assignment.memberId === memberId)
    writeError(answer, version, error)
    answer.writeBytes((error === protocolErrors.NONE && own?.assignment) || Buffer.alloc(0))
    return undefined
  },
}

/**
 * Heartbeat Request (0-3) => group_id:string generation_id:int32 member_id:string
 *   group_instance_id:nullable_string (3+)
 * Heartbeat Response => throttle_time_ms:int32 (1+) error_code:int16
 */
export const heartbeat: Api = {
  key: 12,
  min: 0,
  max: 3,
  handle({ version, body }, answer, broker) {
    const groupId = body.readText()
    const generation = body.readInt32()
    const memberId = body.readText()
    const error = isGroupRefused(broker, groupId)
      ? protocolErrors.INVALID_GROUP_ID
      : broker.groups.of(groupId).check(memberId, generation)
    writeError(answer, version, error)
    return undefined
  },
}

/**
 * LeaveGroup Request (0-3) => group_id:string member_id:string (0-2)
 *   [member_id:string group_instance_id:nullable_string] (3+)
 * LeaveGroup Response => throttle_time_ms:int32 (1+) error_code:int16
 *   [member_id:string group_instance_id:nullable_string error_code:int16] (3+)
 */
export const leaveGroup: Api = {
  key: 13,
  min: 0,
  max: 3,
  handle({ version, body }, answer, broker) {
    const groupId = body.readText()
    const leaving =
      version >= 3
        ? body.readEach(() => ({ memberId: body.readText(), instanceId: body.readString() }))
        : [{ memberId: body.readText(), instanceId: null }]

    const refused = isGroupRefused(broker, groupId)
    const left = refused
      ? []
      : leaving.map((member) => ({ ...member, error: broker.groups.of(groupId).leave(member.memberId) }))
    const error = refused
      ? protocolErrors.INVALID_GROUP_ID
      : version >= 3
        ? protocolErrors.NONE
        : (left[0]?.error ?? protocolErrors.NONE)
    writeError(answer, version, error)
    if (version < 3) return undefined
    answer.writeEach(left, ({ memberId, instanceId, error: memberError }) => {
      answer.writeString(memberId).writeString(instanceId).writeInt16(memberError)
    })
    return undefined
  },
}

function writeError(answer: ResponseWriter, version: number, error: number): void {
  if (version >= 1) answer.writeInt32(0)
  answer.writeInt16(error)
}
