import { DtsError } from '../errors.ts'

/** What a recovery is responsible for. */
export interface Responsibility {
  /** Empty for the stream without a name. */
  readonly source: string
  /** The number of partitions with a poller of their own; null if one poller reads the stream. */
  readonly partitions: number | null
}

/** An event without its address. */
export interface Addressed {
  readonly event: unknown
  /** The partition whose poller the event is about; null if one poller reads the stream. */
  readonly partition: number | null
}

/** @param environment of the recovery, as packaging wrote it */
export function responsibility({
  DTS_SOURCE = '',
  DTS_PARTITIONS,
}: Readonly<Record<string, string | undefined>>): Responsibility {
  return { source: DTS_SOURCE, partitions: DTS_PARTITIONS ? Number(DTS_PARTITIONS) : null }
}

const ofQueue: ReadonlySet<unknown> = new Set(['redrive', 'letters', 'discard'])

/**
 * Takes `source` and `partition` out of an event. Each source has a recovery of its own, so that the name only confirms what the
 * caller means. Partitions of a source share a recovery.
 * @throws DtsError CONFIG_INVALID if the event is not for this recovery, or does not name one of several partitions
 */
export function readAddress(given: unknown, own: Responsibility): Addressed {
  if (typeof given !== 'object' || given === null) return { event: given, partition: null }
  const { source, partition, ...event } = given as Readonly<Record<string, unknown>>
  if (source !== undefined && (source !== own.source || own.source === ''))
    throw otherSource(source, own.source)
  if (own.partitions === null) {
    if (partition === undefined) return { event, partition: null }
    throw refused(
      `One poller reads this stream, and the event is for the partition ${JSON.stringify(partition)}. Leave out "partition"`,
    )
  }
  // The dead letters of all partitions are in one queue, and each names its own.
  if (partition === undefined && ofQueue.has(event.action)) return { event, partition: 0 }
  if (
    typeof partition === 'number' &&
    Number.isInteger(partition) &&
    partition >= 0 &&
    partition < own.partitions
  )
    return { event, partition }
  throw refused(
    `This stream has a poller for each of its partitions, 0 to ${own.partitions - 1}, and the event ` +
      `${partition === undefined ? 'names none' : `is for ${JSON.stringify(partition)}`}. Give "partition" (with npm: --partition)`,
  )
}

function otherSource(source: unknown, own: string): DtsError {
  const mine = own === '' ? 'the stream without a name' : `the source "${own}"`
  const meant = own === '' ? 'Leave out "source", or' : `Give "source":"${own}" or none, or`
  return refused(
    `This function recovers ${mine}, and the event is for the source ${JSON.stringify(source)}. ${meant} invoke the function ` +
      'recovery-<source> (with npm: --source)',
  )
}

/** @param reason without a full stop */
function refused(reason: string): DtsError {
  return new DtsError('CONFIG_INVALID', `${reason}. Nothing was done.`, { retryable: false })
}
