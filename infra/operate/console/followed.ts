import type { LookedChange, LookResult } from '../../../lib/recovery/examine/look.ts'
import type { LettersResult } from '../../../lib/recovery/resend/letters.ts'
import { toSeconds } from '../../../lib/time.ts'
import type { Fate, Found, Sample, ShownChange, TableLine } from '../../page/messages.ts'
import { ReadCounts } from './read-counts.ts'

type Letter = LettersResult['letters'][number]

const mostChanges = 60
const mostTables = 200

const movedPast = 'It waited when the checkpoint was moved past it; or its function got it right before that.'

const howCounted =
  'Handled: changes that the function of the table got past since this page began, with dead letters and filtered ones; between two ' +
  'looks in proportion. Replays and the time per change are unknown here: the dashboard has HandlerTime.'

/** What consecutive looks tell about a deployed stream. */
export class Followed {
  #clusterId: string | null = null
  #counts = new ReadCounts()
  /** Newest first. */
  #changes: readonly LookedChange[] = []
  #tables = new Map<string, LookResult['tables'][number]>()
  /** By table: what counts as handled before the first sample. */
  #begun = new Map<string, number>()
  #handled = new Map<string, number>()
  #position: LookResult['position'] = null
  #letters: LettersResult['letters'] = []
  #gap: string | null = null

  /** The offset up to which the log was read; null before the first look. */
  get end(): bigint | null {
    return this.#counts.end
  }

  get position(): LookResult['position'] {
    return this.#position
  }

  /** Forgets the log, because another one may have taken its place. */
  begin(): void {
    this.#clusterId = null
    this.#counts = new ReadCounts()
    this.#changes = []
    this.#begun = new Map()
    this.#gap = null
  }

  /** @returns by table, how many changes are handled; null: unknown */
  learn(answer: LookResult): Sample['handled'] {
    if (answer.clusterId !== this.#clusterId) this.begin()
    this.#clusterId = answer.clusterId
    const known = this.#position
    this.#position = answer.position
    const [from, to] = [BigInt(answer.read.from), BigInt(answer.read.to)]
    const isFirst = from !== this.end
    const isGap = isFirst && this.end !== null
    if (isGap) {
      this.#gap = `Offsets ${this.end} to ${from} were not read, because much was written between two looks: they are not counted.`
    }
    // What is below the position after a move was not handled by it.
    const isMoved = known?.clusterId !== answer.clusterId || known.generation !== answer.position?.generation
    const isAnew = isFirst || isMoved
    if (isAnew) this.#begun = new Map()
    this.#counts.add({
      from,
      to,
      changes: new Map(answer.tables.map(({ table, changes }) => [table, changes])),
    })
    for (const table of answer.tables)
      if (this.#tables.has(table.table) || this.#tables.size < mostTables)
        this.#tables.set(table.table, table)
    // All changes from the oldest one of the list on, so that those after a position can be counted.
    const older = isFirst || answer.more > 0 ? [] : isMoved ? this.#moved(answer) : this.#changes
    this.#changes = [...answer.changes.toReversed(), ...older].slice(0, mostChanges)
    return Object.fromEntries([...this.#tables.keys()].map((table) => [table, this.#count(table, isAnew)]))
  }

  /** The listed changes after a move of the checkpoint. A change that waited, and is below where it led, was not delivered by that. */
  #moved({ clusterId, position }: LookResult): readonly LookedChange[] {
    const begin = position?.clusterId === clusterId ? position.begin : null
    if (begin === null) return this.#changes
    return this.#changes.map((change) => {
      const { offset, fate } = change
      const isOpen = fate.kind === 'waiting' || fate.kind === 'failing' || fate.kind === 'unknown'
      if (!isOpen || BigInt(offset) >= BigInt(begin)) return change
      return { ...change, fate: { kind: 'passed', reason: movedPast } }
    })
  }

  knowLetters(letters: LettersResult['letters']): void {
    this.#letters = letters
  }

  get tables(): TableLine[] {
    return [...this.#tables.values()].map(({ table, function: name, lastOffset, lastOperation }) => {
      const before = this.#doneBefore(name)
      const done = before === null ? null : this.#below(table, before)
      const all = this.end === null ? null : this.#counts.below(table, this.end)
      return {
        table,
        handled: before === null ? null : (this.#handled.get(table) ?? null),
        waiting: done === null || all === null ? null : all - done,
        replays: null,
        lastOperation,
        lastOffset,
        note: name === null ? 'no handler' : null,
      }
    })
  }

  get notes(): string[] {
    return this.#gap === null ? [howCounted] : [howCounted, this.#gap]
  }

  get changes(): ShownChange[] {
    return this.#changes.map((change) => this.#shown(change))
  }

  /** The answer to a search. */
  found({ changes, read, range, next, notes, error }: LookResult): Found {
    const { from, to } = read
    return {
      changes: changes.toReversed().map((change) => this.#shown(change)),
      searched: from === to ? null : { from, to: String(BigInt(to) - 1n) },
      isPartial: next !== null || from !== range.earliest,
      older: next?.to?.offset ?? null,
      notes: error === null ? notes : [error, ...notes],
    }
  }

  /** The offset below which a function has done all of its changes; null if unknown. */
  #doneBefore(name: string | null): bigint | null {
    const position = this.#position
    if (name === null || position === null || position.clusterId !== this.#clusterId) return null
    return BigInt(position.ahead[name] ?? position.offset)
  }

  /** Exact where the list of changes tells. */
  #below(table: string, offset: bigint): number | null {
    const oldest = this.#changes.at(-1)
    const all = this.end === null ? null : this.#counts.below(table, this.end)
    if (all === null || oldest === undefined || offset < BigInt(oldest.offset))
      return this.#counts.below(table, offset)
    const after = this.#changes.filter(
      (change) => change.table === table && change.operation !== 'DDL' && BigInt(change.offset) >= offset,
    )
    return all - after.length
  }

  /** @param isAnew whether the counts begin with this look: changes below the position were handled before */
  #count(table: string, isAnew: boolean): number | null {
    const before = this.#doneBefore(this.#tables.get(table)?.function ?? null)
    const done = before === null ? null : this.#below(table, before)
    if (done === null) return null
    const handled = this.#handled.get(table)
    const begun = this.#begun.get(table) ?? (isAnew ? done : 0) - (handled ?? 0)
    const isAfterGap = isAnew && handled !== undefined
    this.#begun.set(table, begun)
    this.#handled.set(table, Math.max(handled ?? 0, done - begun))
    return isAfterGap ? null : (this.#handled.get(table) ?? null)
  }

  /** In another log, the change has another place but the same id. An id can be used twice, so the time must be the same too. */
  #isLetterOf({ table, offset, clusterId, generation, change }: Letter, looked: LookedChange): boolean {
    if (table !== looked.table) return false
    if (clusterId === this.#clusterId && generation === this.#position?.generation)
      return offset === looked.offset
    return change !== null && change.id === looked.id && toSeconds(change.timestamp) * 1_000 === looked.at
  }

  #shown(change: LookedChange): ShownChange {
    const { offset, operation, table, key, at, columns, text, masked, withheld } = change
    const note = withheld ?? (masked.length === 0 ? null : `Masked: ${masked.join(', ')}.`)
    return { offset, operation, table, key, at, columns, text, note, fate: this.#fateOf(change) }
  }

  /** As the answer says; the position may have moved since then. */
  #fateOf(change: LookedChange): Fate {
    const { offset, fate, functions } = change
    const { kind, reason } = fate
    const letter = this.#letters.find((one) => this.#isLetterOf(one, change))
    if (letter !== undefined) return { kind: 'dead', reason: letter.error }
    if (kind === 'unhandled' || kind === 'filtered' || kind === 'done') return { kind }
    if (kind === 'passed') return { kind, reason }
    if (functions.length > 0 && functions.every((name) => isPast(this.#doneBefore(name), offset)))
      return { kind: 'done' }
    if (kind === 'failing') return { kind, reason: reason ?? '' }
    if (kind === 'unknown' && this.#doneBefore(functions[0] ?? null) === null)
      return { kind, reason: reason ?? '' }
    return { kind: 'waiting' }
  }
}

function isPast(before: bigint | null, offset: string): boolean {
  return before !== null && BigInt(offset) < before
}
