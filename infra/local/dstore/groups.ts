import { randomUUID } from 'node:crypto'
import { type ProtocolError, protocolErrors } from './protocol-errors.ts'

export interface Commit {
  readonly offset: bigint
  readonly metadata: string | null
}

export interface Member {
  readonly id: string
  readonly generation: number
  /** The assignment protocol that the client prefers, and its subscription in that protocol. */
  readonly protocol: string
  readonly subscription: Buffer
  readonly sessionTimeoutMs: number
  lastSeenMs: number
}

/** One consumer group: its committed offset and its only member. */
export class Group {
  commit: Commit | undefined
  #member: Member | undefined
  #generation = 0

  /** Admits the member, or refuses it while another member's session lasts: the group has one place. */
  join(
    memberId: string,
    joining: Pick<Member, 'protocol' | 'subscription' | 'sessionTimeoutMs'>,
  ): Member | ProtocolError {
    const present = this.#present()
    if (present && present.id !== memberId) return protocolErrors.GROUP_MAX_SIZE_REACHED
    this.#generation += 1
    this.#member = { ...joining, id: memberId, generation: this.#generation, lastSeenMs: Date.now() }
    return this.#member
  }

  /** Checks the sender of a request and extends that member's session. */
  check(memberId: string, generation: number): ProtocolError {
    const member = this.#present()
    if (member?.id !== memberId) return protocolErrors.UNKNOWN_MEMBER_ID
    if (member.generation !== generation) return protocolErrors.ILLEGAL_GENERATION
    member.lastSeenMs = Date.now()
    return protocolErrors.NONE
  }

  /** As `check`; a client without membership (generation -1, no id) may commit while the group has no member. */
  checkCommit(memberId: string, generation: number): ProtocolError {
    if (generation < 0 && memberId === '' && !this.#present()) return protocolErrors.NONE
    return this.check(memberId, generation)
  }

  leave(memberId: string): ProtocolError {
    if (this.#present()?.id !== memberId) return protocolErrors.UNKNOWN_MEMBER_ID
    this.#member = undefined
    return protocolErrors.NONE
  }

  #present(): Member | undefined {
    const member = this.#member
    return member && Date.now() - member.lastSeenMs <= member.sessionTimeoutMs ? member : undefined
  }
}

export class Groups {
  readonly #groups = new Map<string, Group>()

  of(groupId: string): Group {
    const group = this.#groups.get(groupId) ?? new Group()
    this.#groups.set(groupId, group)
    return group
  }

  committed(groupId: string): Commit | undefined {
    return this.#groups.get(groupId)?.commit
  }
}

export function newMemberId(clientId: string | null): string {
  return `${clientId ?? 'consumer'}-${randomUUID()}`
}
