import type { Checkpoint } from '../../../lib/checkpoint/types.ts'
import { printable, printableLines } from '../../../lib/text/printable.ts'
import { toSeconds } from '../../../lib/time.ts'
import { bundledAssets } from '../../page/bundle.ts'
import type { Found, PageView, ShownChange } from '../../page/messages.ts'
import { Plans } from '../../page/plans.ts'
import { Samples } from '../../page/samples.ts'
import { type PageServer, type Search, servePage } from '../../page/server.ts'
import type { Observation } from '../observations.ts'
import type { Screen } from '../screen.ts'
import { type LocalStack, LocalStackError } from '../stack.ts'
import { askRecovery } from '../steps.ts'
import { isHandled } from '../table-lines.ts'
import { type Trouble, troubleLines } from '../troubles.ts'
import type { TableView } from '../view.ts'
import type { LoggedChange } from './describe-record.ts'
import { Failures } from './failures.ts'
import { Fates, type Known } from './fates.ts'
import { causeFault, runPoller } from './faults.ts'
import { LatestChanges } from './latest-changes.ts'
import { LetterBox } from './letter-box.ts'
import { searchLog } from './search.ts'
import { placeOf, shownCheckpoint, shownLog, tableLine } from './shown.ts'

/** What the live view knows in one second. */
export interface Frame {
  readonly now: number
  readonly observations: readonly Observation[]
  readonly checkpoint: Checkpoint | null
  readonly tables: readonly TableView[]
  readonly troubles: readonly Trouble[]
}

/** The page of the local stack. */
export class Page {
  readonly #stack: LocalStack
  readonly #screen: Screen
  readonly #latest: LatestChanges
  readonly #fates = new Fates()
  readonly #failures = new Failures()
  readonly #letters: LetterBox
  readonly #samples = new Samples()
  #changes: readonly LoggedChange[] = []
  #frame: Frame = { now: 0, observations: [], checkpoint: null, tables: [], troubles: [] }
  #known: Known
  #server: PageServer | null = null
  readonly #stopped = new AbortController()

  constructor(stack: LocalStack, screen: Screen) {
    this.#stack = stack
    this.#screen = screen
    this.#latest = new LatestChanges(stack.dstore)
    this.#letters = new LetterBox(stack.letters)
    this.#known = this.#knownWith(null, [])
  }

  /**
   * @param port 0: a free one
   * @returns the address, with its token
   * @throws LocalStackError if another program listens on the port
   */
  async start(port: number): Promise<string> {
    const plans = new Plans({
      ask: (event) => askRecovery(this.#stack, event, 'page'),
      readPlace: async () => placeOf(await this.#stack.store.read()),
      // Continue at once, not with the next scheduled run.
      onDone: () => void this.#stack.invoke('poller', {}).catch(() => {}),
    })
    this.#server = await servePage(
      {
        assets: bundledAssets(),
        view: (after) => this.#view(after),
        search: (search) => this.#search(search),
        letters: async () => {
          const listed = await plans.letters()
          return 'refused' in listed ? listed : this.#failures.explain(listed)
        },
        advise: () => plans.advise(),
        plan: (request) => plans.plan(request),
        apply: async (token) => {
          const told = await plans.apply(token)
          if (told !== null) this.#screen.note(told.text)
          return told
        },
        fault: async (name) => {
          const text = await causeFault(this.#stack.dstore, name)
          this.#screen.note(text)
          // The person who waits for the halt need not wait for the schedule.
          void runPoller(this.#stack, this.#stopped.signal).catch(() => {})
          return text
        },
      },
      port,
    ).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error
      throw new LocalStackError(
        `The page cannot be served on port ${port} of 127.0.0.1 (${error.code}). Choose another one: npm start -- --page-port 8080`,
      )
    })
    return this.#server.address
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#server?.stop()
  }

  /** Takes what the live view learnt, and shows it to every reader. */
  show(frame: Frame): void {
    const { now, observations, checkpoint, tables } = frame
    this.#fates.observe(observations, now)
    this.#failures.observe(observations)
    // The checkpoint of this frame is younger than its observations: it can be past a delivery that the next frame learns of.
    this.#known = this.#knownWith(this.#frame.checkpoint, frame.troubles)
    this.#frame = frame
    this.#changes = this.#latest.look()
    const handled = Object.fromEntries(
      tables.flatMap(({ table, handled, note }) => (note === undefined ? [[printable(table), handled]] : [])),
    )
    this.#samples.add({
      at: now,
      lag:
        checkpoint === null ? null : Math.max(0, Math.round(now / 1_000 - toSeconds(checkpoint.timestamp))),
      handled,
    })
    this.#server?.push()
  }

  #knownWith(checkpoint: Checkpoint | null, troubles: readonly Trouble[]): Known {
    const { dstore, tables } = this.#stack
    return {
      letters: this.#letters.look(),
      checkpoint,
      clusterId: dstore.clusterId,
      troubles,
      isHandled: (table) => isHandled(tables, table),
    }
  }

  #view(after: number): PageView {
    const { now, checkpoint, tables, troubles } = this.#frame
    return {
      title: 'local stack',
      now,
      fault: null,
      tables: tables.map(tableLine),
      log: shownLog(this.#stack.dstore, checkpoint),
      checkpoint: checkpoint === null ? null : shownCheckpoint(checkpoint),
      waitingLetters: this.#known.letters.length,
      changes: this.#changes.map((change) => this.#shown(change)),
      samples: this.#samples.after(after),
      troubles: troubles.map((trouble) => printableLines(troubleLines(trouble).join(' '))),
      events: this.#screen.events.slice(-20).reverse(),
      notes: [],
      hasFaults: true,
    }
  }

  async #search(search: Search): Promise<Found> {
    const { changes, searched, isPartial } = await searchLog(this.#stack.dstore, search)
    return {
      changes: changes.map((change) => this.#shown(change)),
      searched: searched === null ? null : { from: String(searched.from), to: String(searched.to) },
      isPartial,
      older: null,
      notes: [],
    }
  }

  #shown(change: LoggedChange): ShownChange {
    const { offset, operation, table, key, at, columns, text } = change
    const fate = this.#fates.of(change, this.#known)
    return {
      offset: String(offset),
      operation,
      table: printable(table),
      key,
      at,
      columns,
      text,
      note: null,
      fate,
    }
  }
}
