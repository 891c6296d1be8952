import type { Found, Letters, PageView, Plan, Sample, Told } from '../messages.ts'

/** All that the page shows. */
export interface State {
  /** Null until the first one has arrived. */
  readonly view: PageView | null
  readonly isConnected: boolean
  readonly samples: readonly Sample[]
  /** Changes that stay on the screen while the stream continues; null: the newest. */
  readonly held: PageView['changes'] | null
  /** What recovery said last, and whether it was about the present halt. */
  readonly advice: { readonly told: Told; readonly haltAt: number | null } | null
  readonly plan: Plan | null
  /** The last look into the dead-letter queue; a text says why there was none. Null: not looked yet. */
  readonly letters: Letters | string | null
  /** The result of the last action. */
  readonly message: string | null
  readonly isBusy: boolean
  readonly search: {
    readonly label: string
    /** As it was sent. */
    readonly query: Readonly<Record<string, string>>
    readonly found: Found
  } | null
}

export const nothingYet: State = {
  view: null,
  isConnected: false,
  samples: [],
  held: null,
  advice: null,
  plan: null,
  letters: null,
  message: null,
  isBusy: false,
  search: null,
}

/** As many as the server keeps. */
const mostSamples = 600

/** The state after a view has arrived. */
export function withView(state: State, view: PageView): Partial<State> {
  const last = state.samples.at(-1)?.number ?? 0
  const [first] = view.samples
  // The server began anew, or sends everything again after a lost connection.
  const kept =
    first !== undefined && first.number <= last
      ? state.samples.filter(({ number }) => number < first.number)
      : state.samples
  return { view, isConnected: true, samples: [...kept, ...view.samples].slice(-mostSamples) }
}

/** A rate is measured over at least this time, in milliseconds, if there are samples. */
const shortestMs = 5_000

/** Handled changes per second and table, before each sample; null where they are unknown. */
export function ratesOf(samples: readonly Sample[], table: string): (number | null)[] {
  return samples.map((sample, index) => {
    const handled = handledOf(sample, table)
    if (handled === null) return null
    let first = index
    while (first > 0 && sample.at - (samples[first]?.at ?? 0) < shortestMs) {
      const before = samples[first - 1]
      if (before === undefined || handledOf(before, table) === null) break
      first -= 1
    }
    const before = samples[first]
    if (before === undefined || first === index) return null
    const changes = handled - (handledOf(before, table) ?? 0)
    return Math.max(0, changes / ((sample.at - before.at) / 1_000))
  })
}

/** A table that a sample does not have had no change yet. */
function handledOf({ handled }: Sample, table: string): number | null {
  return Object.hasOwn(handled, table) ? (handled[table] ?? null) : 0
}
