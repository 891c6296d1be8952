import { type ApiName, apiNames } from '../api-names.ts'
import type { ApiVersionRange } from '../broker.ts'
import type { Api } from './api.ts'
import { apiVersions } from './api-versions.ts'
import { fetch } from './fetch.ts'
import { findCoordinator } from './find-coordinator.ts'
import { listOffsets } from './list-offsets.ts'
import { heartbeat, joinGroup, leaveGroup, syncGroup } from './membership.ts'
import { metadata } from './metadata.ts'
import { offsetCommit, offsetFetch } from './offsets.ts'
import { produce } from './produce.ts'
import { saslAuthenticate, saslHandshake } from './sasl.ts'

/** Every API that the emulator serves. */
export const apis: Readonly<Record<ApiName, Api>> = {
  Produce: produce,
  Fetch: fetch,
  ListOffsets: listOffsets,
  Metadata: metadata,
  OffsetCommit: offsetCommit,
  OffsetFetch: offsetFetch,
  FindCoordinator: findCoordinator,
  JoinGroup: joinGroup,
  Heartbeat: heartbeat,
  LeaveGroup: leaveGroup,
  SyncGroup: syncGroup,
  SaslHandshake: saslHandshake,
  ApiVersions: apiVersions,
  SaslAuthenticate: saslAuthenticate,
}

/** Caps the version that is advertised; a ceiling below the lowest version served takes the API away. */
export type VersionCeilings = Readonly<Partial<Record<ApiName, number>>>

/** The versions that a broker of Kafka 0.11 advertises: the oldest protocol that DTS documents. */
export const kafka011Ceilings: VersionCeilings = {
  Produce: 3,
  Fetch: 5,
  ListOffsets: 2,
  Metadata: 4,
  OffsetCommit: 3,
  OffsetFetch: 3,
  FindCoordinator: 1,
  JoinGroup: 2,
  Heartbeat: 1,
  LeaveGroup: 1,
  SyncGroup: 1,
  SaslHandshake: 0,
  ApiVersions: 1,
  SaslAuthenticate: -1,
}

export function advertise(ceilings: VersionCeilings): ApiVersionRange[] {
  return apiNames
    .map((name) => {
      const { key, min, max } = apis[name]
      return { key, min, max: Math.min(max, ceilings[name] ?? max) }
    })
    .filter(({ min, max }) => max >= min)
}

export function nameOf(key: number): ApiName | undefined {
  return apiNames.find((name) => apis[name].key === key)
}
