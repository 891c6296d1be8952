/** The APIs that the emulator serves, as the protocol names them. */
export const apiNames = [
  'Produce',
  'Fetch',
  'ListOffsets',
  'Metadata',
  'OffsetCommit',
  'OffsetFetch',
  'FindCoordinator',
  'JoinGroup',
  'Heartbeat',
  'LeaveGroup',
  'SyncGroup',
  'SaslHandshake',
  'ApiVersions',
  'SaslAuthenticate',
] as const

export type ApiName = (typeof apiNames)[number]
