import type { Failed, Observation, Started } from './observations.ts'

/** A change that its function did not handle at its last attempt. */
export interface Trouble {
  readonly functionName: string
  /** Operation, table, key and offset. */
  readonly what: string
  /** The error, or that the time was over. */
  readonly reason: string
  /** The line of the user's code, as `functions/tables/orders.ts:12:7`; null if unknown. */
  readonly place: string | null
  readonly attempts: number
  readonly offset: bigint
  readonly generation: number
}

type Place = Pick<Failed | Started, 'function' | 'table' | 'operation' | 'key' | 'offset' | 'generation'>

/** Follows what the handlers do, and knows which changes they fail at. */
export class Troubles {
  readonly #prefix: string
  readonly #failing = new Map<string, Trouble>()
  /** By worker: what it works on. */
  readonly #working = new Map<number, Started>()

  /** @param prefix what the functions' names begin with; people know the rest, the name of the file */
  constructor(prefix = '') {
    this.#prefix = prefix
  }

  /** The changes that still wait for a handler that takes them. */
  get current(): readonly Trouble[] {
    return [...this.#failing.values()]
  }

  /** @returns what a person should read now: the first failure of each change, and each crash */
  observe(observations: readonly Observation[]): string[] {
    return observations.flatMap((observation) => this.#observe(observation))
  }

  #observe(observation: Observation): string[] {
    switch (observation.kind) {
      case 'started':
        this.#working.set(observation.worker, observation)
        return []
      case 'handled':
        this.#working.delete(observation.worker)
        this.#failing.delete(nameOf(observation))
        return []
      case 'failed': {
        this.#working.delete(observation.worker)
        const { error } = observation
        return this.#add(observation, `${error.name}: ${error.message}`, error.place)
      }
      case 'crashed':
        return [crash(this.#shortName(observation.function), observation.error)]
    }
  }

  /**
   * Notices the changes whose function was stopped before its handler came to an end.
   * @param now in milliseconds since 1970
   */
  overdue(now: number): string[] {
    const late = [...this.#working].filter(([, { until }]) => now > until)
    return late.flatMap(([worker, started]) => {
      this.#working.delete(worker)
      const reason =
        "the handler was not done when the function's timeout was over. Lambda stops it there, and the change is tried again"
      return this.#add(started, reason, null)
    })
  }

  /** Forgets changes that a commit or a reset has passed. */
  passed(generation: number, offset: bigint): void {
    for (const [name, trouble] of this.#failing) {
      if (trouble.generation < generation || trouble.offset < offset) this.#failing.delete(name)
    }
  }

  #shortName(name: string): string {
    return name.startsWith(this.#prefix) ? name.slice(this.#prefix.length) : name
  }

  #add(change: Place, reason: string, place: string | null): string[] {
    const name = nameOf(change)
    const before = this.#failing.get(name)
    const trouble = {
      functionName: this.#shortName(change.function),
      what: describe(change),
      reason,
      place,
      attempts: (before?.attempts ?? 0) + 1,
      offset: BigInt(change.offset),
      generation: change.generation,
    }
    this.#failing.set(name, trouble)
    const isNew = before?.reason !== reason || before.place !== place
    return isNew ? [troubleLines(trouble).join(' ')] : []
  }
}

/** A trouble for people: first the line and the change, then the error, which can be long. */
export function troubleLines({ functionName, what, reason, place, attempts }: Trouble): string[] {
  const where = place === null ? '' : ` at ${place}`
  return [`${functionName} failed${where} (${what}, attempt ${attempts}):`, reason]
}

function describe({ operation, table, key, offset }: Place): string {
  return [operation ?? 'a change', 'of', table, key, 'at offset', offset]
    .filter((part) => part !== '')
    .join(' ')
}

function crash(name: string, error: Failed['error']): string {
  const where = error.place === null ? '' : ` (at ${error.place})`
  return (
    `${name}: no code caught ${error.name}: ${error.message}${where}. Its change may count as done. On Lambda this error ends the ` +
    'process, and the invocation fails: await every promise.'
  )
}

function nameOf({ function: name, offset, generation }: Place): string {
  return `${name} ${generation} ${offset}`
}
