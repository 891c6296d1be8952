/** A deployment of this project, as other users of the same consumer group see it. */
export interface Deployment {
  readonly service: string
  readonly stage: string
  /** The checkpoint table, with its region if that is known. */
  readonly table: string
}

/** A checkpoint's generation and offset. All offsets of one generation belong to one log, so they can be compared. */
export interface MarkedPlace {
  readonly generation: number
  readonly offset: bigint
  /** The cluster of that log. Absent: an older version wrote the mark. */
  readonly clusterId?: string
}

/** The author of a commit to the consumer group, from the metadata of the commit. */
export type Mark =
  | {
      readonly whose: 'ours'
      /** In seconds; null if it is unreadable. */
      readonly timestamp: number | null
      /** Null for older versions, which wrote neither their deployment nor their generation. */
      readonly place: MarkedPlace | null
    }
  | { readonly whose: 'another deployment'; readonly deployment: Deployment; readonly place: MarkedPlace }
  | { readonly whose: 'unknown' }

/** A position that the consumer group holds at the broker. */
export interface GroupPosition {
  readonly offset: bigint
  readonly metadata: string | null
  readonly mark: Mark
}

/** Older versions wrote this after the time. */
const oldMark = 'dts-functions'

/**
 * `<timestamp>|<service>|<stage>|<table>|<generation>|<offset>|<cluster>`, each name percent-encoded. DTS wants the time first. The
 * offset is repeated because DTS moves a commit to another cluster by its time and changes the committed offset, and the cluster shows
 * that it did.
 */
export function writeMark(
  { service, stage, table }: Deployment,
  timestamp: number,
  { generation, offset, clusterId }: MarkedPlace,
): string {
  const cluster = clusterId === undefined ? [] : [encodeURIComponent(clusterId)]
  return [timestamp, ...[service, stage, table].map(encodeURIComponent), generation, offset, ...cluster].join(
    '|',
  )
}

/** Reads a commit of the group. @param self this deployment */
export function groupPosition(offset: bigint, metadata: string | null, self: Deployment): GroupPosition {
  return { offset, metadata, mark: readMark(metadata ?? '', self) }
}

function readMark(metadata: string, self: Deployment): Mark {
  const [time = '', ...rest] = metadata.split('|')
  const timestamp = /^\d{1,15}$/.test(time) ? Number(time) : null
  if (rest.length === 1 && rest[0] === oldMark) return { whose: 'ours', timestamp, place: null }
  const [service, stage, table] = rest.slice(0, 3).map(decoded)
  const [generation = '', offset = '', cluster = ''] = rest.slice(3)
  const isMark = timestamp !== null && /^\d{1,15}$/.test(generation) && /^\d{1,19}$/.test(offset)
  if (!isMark || service == null || stage == null || table == null) return { whose: 'unknown' }
  const clusterId = decoded(cluster)
  const place = {
    generation: Number(generation),
    offset: BigInt(offset),
    ...(clusterId ? { clusterId } : {}),
  }
  const isOurs = service === self.service && stage === self.stage && table === self.table
  return isOurs
    ? { whose: 'ours', timestamp, place }
    : { whose: 'another deployment', deployment: { service, stage, table }, place }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** The deployment in words. */
export function deploymentName({ service, stage, table }: Deployment): string {
  return `service ${printable(service)}, stage ${printable(stage)}, table ${printable(table)}`
}

/** The author of a commit in words. */
export function committerOf(mark: Mark): string {
  switch (mark.whose) {
    case 'ours':
      return 'by this deployment'
    case 'another deployment':
      return `by another deployment (${deploymentName(mark.deployment)})`
    case 'unknown':
      return 'by another program'
  }
}

/** The names come from the broker. Control characters in them would reach an operator's terminal. */
function printable(name: string): string {
  return `"${name.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200)}"`
}
