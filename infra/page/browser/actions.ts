import type { FaultName, Found, Letters, Planned, PlanRequest, Told } from '../messages.ts'
import { get, post, type Reply } from './request.ts'
import type { State } from './store.ts'

/** What a person can do. */
export interface Actions {
  advise(): Promise<void>
  /** Asks what a step would do, and shows it. Nothing is done. */
  plan(step: string, message?: string): Promise<void>
  /** Looks into the dead-letter queue. */
  look(): Promise<void>
  /** Does exactly what the shown plan says. */
  apply(): Promise<void>
  dismiss(): void
  fault(name: FaultName): Promise<void>
  search(table: string, key: string): Promise<void>
  /** Continues the search below the records that it read. */
  searchOlder(): Promise<void>
  clearSearch(): void
  /** Keeps the shown changes on the screen, or follows the stream again. */
  hold(): void
}

function joined(newer: Found, older: Found): Found {
  const [from, to] = [older.searched?.from ?? newer.searched?.from, newer.searched?.to ?? older.searched?.to]
  return {
    ...older,
    changes: [...newer.changes, ...older.changes],
    searched: from === undefined || to === undefined ? null : { from, to },
    notes: [...new Set([...newer.notes, ...older.notes])],
  }
}

export function actionsOn(read: () => State, write: (part: Partial<State>) => void): Actions {
  const during = async <Answer>(reply: Promise<Reply<Answer>>): Promise<Answer | null> => {
    write({ isBusy: true })
    const ended = await reply
    write({ isBusy: false })
    if ('answer' in ended) return ended.answer
    write({ message: ended.error })
    return null
  }
  const tell = (told: Told | null) => {
    if (told !== null) write({ advice: { told, haltAt: read().view?.checkpoint?.halt?.at ?? null } })
  }
  const look = async () => {
    const found = await during(post<Letters | { refused: Told }>('letters'))
    if (found === null) return
    write({ letters: 'refused' in found ? found.refused.text : found })
  }
  return {
    async advise() {
      tell(await during(post<Told>('advise')))
    },
    async plan(step, message) {
      write({ message: null })
      const request: PlanRequest = { step, message }
      const planned = await during(post<Planned>('plan', request))
      if (planned === null) return
      if ('plan' in planned) write({ plan: planned.plan })
      else {
        write({ message: planned.refused.text })
        tell(planned.refused)
      }
    },
    look,
    async apply() {
      const { plan } = read()
      if (plan === null) return
      const told = await during(post<Told>('apply', { token: plan.token }))
      write({ plan: null })
      if (told === null) return
      write({ message: told.text })
      tell(told)
      if (read().letters !== null) await look()
    },
    dismiss() {
      write({ plan: null })
    },
    async fault(name) {
      const done = await during(post<{ text: string }>('fault', { fault: name }))
      if (done !== null) write({ message: done.text })
    },
    async search(table, key) {
      const query: Record<string, string> = table === '' ? { key } : { table, key }
      const found = await during(get<Found>('search', query))
      const label = `${key}${table === '' ? '' : ` in ${table}`}`
      if (found !== null) write({ search: { label, query, found } })
    },
    async searchOlder() {
      const { search } = read()
      const before = search?.found.older ?? null
      if (search === null || before === null) return
      const older = await during(get<Found>('search', { ...search.query, before }))
      // Meanwhile a person may have searched for another row.
      if (older !== null && read().search === search)
        write({ search: { ...search, found: joined(search.found, older) } })
    },
    clearSearch() {
      write({ search: null })
    },
    hold() {
      const { held, view } = read()
      write({ held: held === null ? (view?.changes ?? []) : null })
    },
  }
}
