import type { ColumnDrift, ColumnHistory } from '../checkpoint/column-history.ts'
import type { StoredColumns } from '../checkpoint/column-store.ts'
import { ColumnLooks, type Sighting } from '../dispatch/column-looks.ts'
import { unescapeName } from '../dts/names.ts'
import { DtsError } from '../errors.ts'
import { listNames } from '../text/name-list.ts'
import type { ColumnWatch, PollDependencies } from './dependencies.ts'
import { optionalWork } from './optional-work.ts'
import type { DriftSummary, PollSummary } from './summary.ts'

/** The sighting before which the stream must halt, and the reason. */
export interface DriftHalt {
  readonly sighting: Sighting
  readonly error: DtsError
}

/** So often is the write of columns tried for which the stream halted. */
const mostTries = 3

/** Compares the columns that one run sees with those that are stored, and stores what is new. */
export class Drift {
  readonly #dependencies: Pick<PollDependencies, 'remainingMs' | 'sleep'>
  readonly looks: ColumnLooks
  readonly #watch: ColumnWatch
  readonly #summary: PollSummary
  /** As this run has read them; undefined before, null if they cannot be read. */
  #stored: StoredColumns | null | undefined
  /** What this run has to store. */
  #added: Sighting[] = []
  #halt: DriftHalt | null = null

  constructor(
    dependencies: Pick<PollDependencies, 'remainingMs' | 'sleep'>,
    watch: ColumnWatch,
    generation: number,
    summary: PollSummary,
  ) {
    this.looks = new ColumnLooks(watch.judged, generation)
    this.#dependencies = dependencies
    this.#watch = watch
    this.#summary = summary
  }

  /**
   * Judges what the looks found in a part of a slice, in its order, up to a halt.
   * @returns why and before which record the stream must halt; null if it may pass
   * @throws DtsError CHECKPOINT_TABLE_UNAVAILABLE if a table halts and the stored columns cannot be read
   */
  async judge(): Promise<DriftHalt | null> {
    const { sightings } = this.looks
    if (sightings.length === 0) return null
    const stored = await this.#read(sightings.some(({ onDrift }) => onDrift === 'halt'))
    if (stored === null) return null
    for (const sighting of sightings) {
      const compared = stored.history.compare(sighting)
      if (compared.kind === 'drift' && sighting.onDrift === 'halt') {
        this.#halt = { sighting, error: halted(sighting, compared) }
        return this.#halt
      }
      if (compared.kind === 'drift') this.#summary.drifts.push(summaryOf(sighting, compared))
      if (compared.kind !== 'known') this.#add(stored.history, sighting)
      this.#watch.judged.set(sighting.table, sighting.raw)
    }
    return null
  }

  /**
   * Stores what is new. A halt for a drift counts as the notice, so the stream passes that place once a person ends the halt. So this must
   * be called after the halt was stored.
   * @param halt why the stream was halted; null if it was not
   */
  async keep(halt: DtsError | null): Promise<void> {
    const stored = this.#stored
    if (stored === undefined || stored === null) return
    const accepted = halt !== null && halt === this.#halt?.error ? this.#halt.sighting : null
    if (accepted !== null) this.#add(stored.history, accepted)
    if (this.#added.length === 0) return
    if ((await this.#write(stored)) || (accepted !== null && (await this.#writeAgain()))) this.#added = []
  }

  /** If the columns of a halt were not stored, the stream would halt for them again after a person ended the halt. */
  async #writeAgain(): Promise<boolean> {
    for (let tries = 2; tries <= mostTries; tries++) {
      const stored = await optionalWork(this.#dependencies, () => this.#watch.store.read().catch(() => null))
      if (stored === null) continue
      // The first write may have been applied, and only its reply was lost.
      const missing = this.#added.filter((one) => stored.history.compare(one).kind !== 'known')
      if (missing.length === 0) return true
      for (const sighting of missing) stored.history.add(sighting)
      if (await this.#write(stored)) return true
    }
    return false
  }

  async #write(stored: StoredColumns): Promise<boolean> {
    const { store } = this.#watch
    return (await optionalWork(this.#dependencies, () => store.write(stored).catch(() => false))) ?? false
  }

  /** The next run of the process judges again what `keep` did not store. */
  forget(): void {
    for (const { table } of this.#added) this.#watch.judged.delete(table)
  }

  #add(history: ColumnHistory, sighting: Sighting): void {
    if (history.add(sighting)) this.#added.push(sighting)
  }

  /** @param isNeeded otherwise, changes are delivered also if the stored columns cannot be read */
  async #read(isNeeded: boolean): Promise<StoredColumns | null> {
    if (this.#stored === undefined || (this.#stored === null && isNeeded)) {
      const { store } = this.#watch
      this.#stored = isNeeded
        ? await store.read()
        : await optionalWork(this.#dependencies, () => store.read().catch(() => null))
    }
    return this.#stored
  }
}

function summaryOf({ table, since }: Sighting, { added, lost, retyped }: ColumnDrift): DriftSummary {
  return {
    table,
    offset: String(since.offset),
    added: listNames(added),
    lost: listNames(lost),
    retyped: listNames(retyped.map(({ name, from, to }) => `${name} (${from} to ${to})`)),
  }
}

function halted(sighting: Sighting, drift: ColumnDrift): DtsError {
  const { table, offset, added, lost, retyped } = summaryOf(sighting, drift)
  const parts = [
    ['new', added],
    ['lost', lost],
    ['of another type', retyped],
  ].flatMap(([what, names]) => (names === '' ? [] : [`${what}: ${names}`]))
  return new DtsError(
    'COLUMNS_CHANGED',
    `The columns of ${unescapeName(table)} differ from offset ${offset} on (${parts.join('; ')}). A handler of the table asks for a ` +
      'halt, so the stream halts before that change.',
    {
      retryable: false,
      facts: { offset, table, added, lost, retyped },
      next: [
        { action: 'deploy', change: 'If these columns need it, change the handler' },
        { action: 'resume', purpose: 'accept the columns and let the stream continue' },
      ],
    },
  )
}
