import type { Inspection } from '../../../lib/recovery/examine/inspect.ts'
import { renderStep } from '../../../lib/recovery/next-steps.ts'
import type { RecoveryAnswer } from '../../../lib/recovery/recover.ts'
import type { PageView, Sample, ShownCheckpoint, ShownLog } from '../../page/messages.ts'
import type { Actor, RecoveryEvent, StreamPlace } from '../../page/plans.ts'
import { type Asked, readAnswer, type Step } from '../../page/recovery-answer.ts'
import { Samples } from '../../page/samples.ts'
import { type Deployment, npmCommands } from '../command-line.ts'
import type { DeployedRecovery } from '../invoke-recovery.ts'
import { type ColumnChange, changesOf, driftText } from '../print-columns.ts'

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

/** A deployed stream as its recovery function sees it. */
export class Stage implements Actor {
  readonly #options: StageOptions
  readonly #samples = new Samples()
  #inspection: Inspection | null = null
  #fault: string | null = null
  readonly onDone: () => void
  readonly #onSeen: () => void

  constructor(options: StageOptions, { onDone = () => {}, onSeen = () => {} }: Listeners = {}) {
    this.#options = options
    this.onDone = onDone
    this.#onSeen = onSeen
  }

  async ask(event: RecoveryEvent): Promise<Asked> {
    const { recovery, by } = this.#options
    const sent = named.has(event.action) ? { ...event, by } : event
    const answer = await recovery.invoke(sent)
    if (answer.kind === 'unreachable') return this.#failed(event, answer.message)
    if (answer.failed) return this.#failed(event, errorText(answer.value))
    const asked = readAnswer(answer.value, (step) => this.#stepOf(step))
    if (event.action === 'inspect') this.#learn(answer.value)
    return asked
  }

  async readPlace(): Promise<StreamPlace | null> {
    await this.ask({ action: 'inspect' })
    const { stored = null } = this.#inspection ?? {}
    // After a failed look, the last one proves nothing.
    return stored === null || this.#fault !== null ? null : { ...stored, state: shownState(stored) }
  }

  /** @param after the number of the last sample that the reader has */
  view(after: number): PageView {
    const { title, now } = this.#options
    const inspection = this.#inspection
    return {
      title,
      now: now(),
      fault: this.#fault,
      tables: null,
      log: inspection === null ? null : shownLog(inspection),
      checkpoint: inspection === null ? null : shownCheckpoint(inspection),
      waitingLetters: null,
      changes: null,
      samples: this.#samples.after(after),
      troubles: inspection === null ? [] : troublesOf(inspection),
      events: inspection === null ? [] : eventsOf(inspection),
      hasFaults: false,
    }
  }

  #learn(value: unknown): void {
    const answer = value as RecoveryAnswer | { readonly error: { code: string; message: string } }
    if ('action' in answer && answer.action === 'inspect') {
      this.#inspection = answer
      this.#fault = null
      this.#samples.add({ at: this.#options.now(), lag: answer.lagSeconds, handled: {} } satisfies Omit<
        Sample,
        'number'
      >)
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

function errorText(value: unknown): string {
  const { errorType = 'Error', errorMessage = JSON.stringify(value) } = (value ?? {}) as Record<
    string,
    string
  >
  return `${errorType}: ${errorMessage}`
}

function shownState({ state, halt }: NonNullable<Inspection['stored']>): ShownCheckpoint['state'] {
  return halt?.code === 'PAUSED' ? 'PAUSED' : state
}

function shownCheckpoint({ stored }: Inspection): ShownCheckpoint | null {
  if (stored === null) return null
  const { clusterId, offset, generation, timestamp, halt } = stored
  return {
    clusterId,
    offset,
    generation,
    at: timestamp * 1_000,
    state: shownState(stored),
    halt: halt === null ? null : { code: halt.code, message: halt.message, at: halt.at },
  }
}

function shownLog({ found, secondsUntilLoss }: Inspection): ShownLog | null {
  if (found === null) return null
  const { clusterId, earliest, end, times } = found
  return {
    clusterId,
    earliest,
    end,
    times: times === null ? null : { first: times.first * 1_000, last: times.last * 1_000 },
    reserve: secondsUntilLoss,
    isBounded: true,
  }
}

function troublesOf({ checks, storedFault, stored }: Inspection): string[] {
  const lanes = Object.entries(stored?.lanes ?? {}).map(([name, text]) => `${name}: ${text}`)
  const failed = checks.filter(({ result }) => result === 'failed' || result === 'attention')
  return [
    ...(storedFault === null ? [] : [`checkpoint: ${storedFault}`]),
    ...failed.map(({ name, result, detail }) => `${name} (${result}): ${detail}`),
    ...lanes,
  ]
}

/** Moves, actions by hand and changes of columns, the newest first: each text begins with its time. */
function eventsOf({ ledger, columns }: Inspection): string[] {
  const changes = columns === undefined ? [] : changesOf(columns).map(changeText)
  return [...ledger.map(entryText), ...changes].sort().reverse()
}

function changeText({ table, version }: ColumnChange): string {
  const { offset, time } = version
  const at = time === null ? '' : `${time.slice(0, 19)}Z  `
  return `${at}the columns of ${table} changed at offset ${offset} (${driftText(version)})`
}

function entryText({ at, how, by, from, to }: Inspection['ledger'][number]): string {
  const offsets = from === null || from.offset === to.offset ? to.offset : `${from.offset} → ${to.offset}`
  return `${new Date(at).toISOString().slice(0, 19)}Z  ${how}  ${offsets}  by ${by}`
}
