/**
 * A stream of the service: one poller with its recovery, checkpoint, dead letters and alarms. The unnamed stream is the one
 * that the variables of the shell describe. A service has it alone, unless `custom.sources` names others.
 */
export interface Stream {
  /** The name of its source, and of the folder of its handlers; empty for the unnamed stream. */
  readonly source: string
  /** The variables of poller and recovery that describe the stream: DTS_BROKER_URL and so on. */
  readonly variables: Readonly<Record<string, string>>
  /** The number of the topic's partitions, each with a poller of its own; null: one poller reads the only partition. */
  readonly partitions: number | null
}

/** A poller of a stream. */
export interface Poller {
  /** Key of `functions:`. */
  readonly key: string
  /** Null if it is the stream's only one. */
  readonly partition: number | null
}

export function pollersOf(stream: Pick<Stream, 'source' | 'partitions'>): Poller[] {
  const { poller } = namesOf(stream)
  if (stream.partitions === null) return [{ key: poller, partition: null }]
  return Array.from({ length: stream.partitions }, (_, partition) => ({
    key: `${poller}-${partition}`,
    partition,
  }))
}

/** Everything that is named after a stream. The names of the unnamed stream contain no source. */
export interface StreamNames {
  /** Keys of `functions:`. With several pollers, each key ends with the partition. */
  readonly poller: string
  readonly recovery: string
  /** Between the deployment's prefix and the name of an alarm, a queue or a dashboard. */
  readonly prefix: string
  /** At the end of a logical id. */
  readonly suffix: string
  readonly queueId: string
}

export function namesOf({ source }: Pick<Stream, 'source'>): StreamNames {
  if (source === '') {
    return { poller: 'poller', recovery: 'recovery', prefix: '', suffix: '', queueId: 'DeadLetterQueue' }
  }
  // A source's name has only lower-case letters and digits.
  const suffix = source.charAt(0).toUpperCase() + source.slice(1)
  return {
    poller: `poller-${source}`,
    recovery: `recovery-${source}`,
    prefix: `${source}-`,
    suffix,
    queueId: `DeadLetterQueue${suffix}`,
  }
}
