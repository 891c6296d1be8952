import type { Inspection } from '../../../lib/recovery/examine/inspect.ts'
import type { LookResult } from '../../../lib/recovery/examine/look.ts'
import { renderStep } from '../../../lib/recovery/next-steps.ts'
import type { RecoveryAnswer } from '../../../lib/recovery/recover.ts'
import type { ReturnedError } from '../../../lib/recovery/reply.ts'
import type { LettersResult } from '../../../lib/recovery/resend/letters.ts'
import type { Found, PageView } from '../../page/messages.ts'
import type { Actor, RecoveryEvent, StreamPlace } from '../../page/plans.ts'
import { type Asked, readAnswer, type Step } from '../../page/recovery-answer.ts'
import { Samples } from '../../page/samples.ts'
import type { Search } from '../../page/server.ts'
import { type Deployment, npmCommands } from '../command-line.ts'
import type { DeployedRecovery } from '../invoke-recovery.ts'
import { Followed } from './followed.ts'
import {
  eventsOf,
  lookedCheckpoint,
  lookedLog,
  shownCheckpoint,
  shownLog,
  shownState,
  troublesOf,
} from './stage-view.ts'

export interface StageOptions {
  /** Of the page. */
  readonly title: string
  readonly recovery: DeployedRecovery
  readonly deployment: Deployment
  /** Who acts, for the ledger. */
  readonly by: string
  /** In milliseconds since 1970. */
  readonly now: () => number
}

/** Called after something happened. */
interface Listeners {
  /** Recovery did what a plan says. */
  readonly onDone?: () => void
  /** The view has changed. */
  readonly onSeen?: () => void
}

/** Actions that take the name of the person. */
const named: ReadonlySet<string> = new Set(['reset', 'pause', 'resume', 'release', 'discard'])

/** While a page is seen, recovery is asked this often, in milliseconds: an invocation that connects to the broker. */
const refreshMs = 15_000
/** An inspection examines the set-up too. It is repeated this often, and when the stream halted, continued or was moved. */
const inspectMs = 300_000

/** A deployed stream as its recovery function sees it. */
export class Stage implements Actor {
  readonly #options: StageOptions
  readonly #samples = new Samples()
  readonly #followed = new Followed()
  readonly #onDone: () => void
  readonly #onSeen: () => void
  #inspection: Inspection | null = null
  #inspectedAt: number | null = null
  /** The last look; null if an inspection is newer. */
  #looked: LookResult | null = null
  #refreshedAt: number | null = null
  /** Why the page has no changes: recovery is older than this console. */
  #tooOld: string | null = null
  #fault: string | null = null

  constructor(options: StageOptions, { onDone = () => {}, onSeen = () => {} }: Listeners = {}) {
    this.#options = options
    this.#onDone = onDone
    this.#onSeen = onSeen
  }

  onDone(): void {
    this.#refreshedAt = null
    this.#inspectedAt = null
    this.#onDone()
  }

  /** Asks recovery if it is time, and if a page is seen. */
  async refresh(readers: number): Promise<void> {
    const now = this.#options.now()
    if (readers === 0 || (this.#refreshedAt !== null && now - this.#refreshedAt < refreshMs)) return
    this.#refreshedAt = now
    const isOld = this.#inspectedAt === null || now - this.#inspectedAt >= inspectMs
    if (isOld || this.#hasMoved || this.#fault !== null || this.#tooOld !== null)
      await this.ask({ action: 'inspect' })
    if (this.#tooOld === null && this.#fault === null) await this.#follow()
  }

  async ask(event: RecoveryEvent): Promise<Asked> {
    const { recovery, by } = this.#options
    const sent = named.has(event.action) ? { ...event, by } : event
    const answer = await recovery.invoke(sent)
    if (answer.kind === 'unreachable') return this.#failed(event, answer.message)
    if (answer.failed) return this.#failed(event, errorText(answer.value))
    const asked = readAnswer(answer.value, (step) => this.#stepOf(step))
    if (event.action === 'inspect') this.#learn(answer.value)
    if (event.action === 'letters' && asked.isDone)
      this.#followed.knowLetters((answer.value as LettersResult).letters)
    return asked
  }

  async readPlace(): Promise<StreamPlace | null> {
    await this.ask({ action: 'inspect' })
    const { stored = null } = this.#inspection ?? {}
    // After a failed look, the last one proves nothing.
    return stored === null || this.#fault !== null ? null : { ...stored, state: shownState(stored) }
  }

  /** @throws Error with the reason, for people, if recovery does not answer */
  async search({ table, key, before }: Search): Promise<Found> {
    const place = before === null ? {} : { to: { offset: before } }
    const tables = table === null ? {} : { table }
    const answer = await this.#look({ key, ...tables, ...place })
    if (typeof answer === 'string') throw new Error(answer)
    return this.#followed.found(answer)
  }

  /** @param after the number of the last sample that the reader has */
  view(after: number): PageView {
    const { title, now } = this.#options
    const inspection = this.#inspection
    const looked = this.#looked
    const passed = (now() - (this.#inspectedAt ?? now())) / 1_000
    const isFollowed = this.#followed.end !== null
    return {
      title,
      now: now(),
      fault: this.#fault,
      tables: isFollowed ? this.#followed.tables : null,
      log:
        looked !== null
          ? lookedLog(looked, inspection, passed)
          : inspection === null
            ? null
            : shownLog(inspection),
      checkpoint:
        looked !== null ? lookedCheckpoint(looked) : inspection === null ? null : shownCheckpoint(inspection),
      waitingLetters: null,
      changes: isFollowed ? this.#followed.changes : null,
      samples: this.#samples.after(after),
      troubles: [
        ...(this.#tooOld === null ? [] : [this.#tooOld]),
        ...(inspection === null ? [] : troublesOf(inspection)),
      ],
      events: inspection === null ? [] : eventsOf(inspection),
      notes: isFollowed ? this.#followed.notes : [],
      hasFaults: false,
    }
  }

  /** Whether the last look shows another state than the inspection. */
  get #hasMoved(): boolean {
    const [looked, stored] = [this.#looked?.position ?? null, this.#inspection?.stored ?? null]
    if (this.#looked === null || (looked === null && stored === null)) return false
    return (
      looked?.generation !== stored?.generation ||
      looked?.halt?.at !== stored?.halt?.at ||
      looked?.clusterId !== stored?.clusterId
    )
  }

  async #follow(): Promise<void> {
    const { end } = this.#followed
    const rest = end === null ? {} : { from: { offset: String(end) }, newest: true }
    const answer = await this.#look({ max: 60, ...rest })
    if (typeof answer === 'string') {
      // The log may be another one, or may have lost the offset.
      this.#followed.begin()
      if (this.#tooOld === null) this.#fault = answer
    } else {
      const handled = this.#followed.learn(answer)
      this.#looked = answer
      this.#samples.add({ at: this.#options.now(), lag: answer.position?.lagSeconds ?? null, handled })
    }
    this.#onSeen()
  }

  /** @returns a text if it failed: the reason */
  async #look(event: object): Promise<LookResult | string> {
    const answer = await this.#options.recovery.invoke({ action: 'look', ...event })
    if (answer.kind === 'unreachable') return answer.message
    if (answer.failed) return errorText(answer.value)
    const value = answer.value as LookResult | ReturnedError
    if ('action' in value) return value
    const { code, message } = value.error
    if (code === 'CONFIG_INVALID' && message.startsWith(unknownEvent))
      this.#tooOld =
        'Changes and rates are not shown: the deployed recovery function is of an older version, which cannot look at the log. Deploy this one.'
    return `${code}: ${message}`
  }

  #learn(value: unknown): void {
    const answer = value as RecoveryAnswer | { readonly error: { code: string; message: string } }
    if ('action' in answer && answer.action === 'inspect') {
      this.#inspection = answer
      this.#inspectedAt = this.#options.now()
      this.#looked = null
      this.#fault = null
      if (this.#tooOld !== null)
        this.#samples.add({ at: this.#options.now(), lag: answer.lagSeconds, handled: {} })
    } else this.#fault = readAnswer(value, (step) => this.#stepOf(step)).text
    this.#onSeen()
  }

  #failed({ action }: RecoveryEvent, text: string): Asked {
    if (action === 'inspect') {
      this.#fault = text
      this.#onSeen()
    }
    return { text, steps: [], result: null, isDone: false }
  }

  #stepOf(step: Parameters<typeof renderStep>[0]): Step {
    const { text, command } = renderStep(step, npmCommands(this.#options.deployment))
    if (step.action === 'wait') return { text, event: null }
    if (step.action === 'deploy') return { text: `${text}: ${command}`, event: null }
    const { purpose: _, ...event } = step
    return { text: text.replace(/^To /, ''), event }
  }
}

/** Older versions answer so to an action that they do not know. */
const unknownEvent = 'The event is not one that recovery knows'

function errorText(value: unknown): string {
  const { errorType = 'Error', errorMessage = JSON.stringify(value) } = (value ?? {}) as Record<
    string,
    string
  >
  return `${errorType}: ${errorMessage}`
}
