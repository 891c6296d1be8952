import { randomBytes } from 'node:crypto'
import type { ResetResult } from '../../lib/recovery/move/reset.ts'
import type { StepEvent } from '../../lib/recovery/next-steps.ts'
import type { LettersResult } from '../../lib/recovery/resend/letters.ts'
import { shownLetters } from './letters.ts'
import type { Letters, OfferedStep, Plan, Planned, PlanRequest, Told } from './messages.ts'
import type { Asked, Step } from './recovery-answer.ts'

/** An event of recovery, with the members that its action has. */
export type RecoveryEvent =
  | (StepEvent & { readonly dryRun?: true; readonly token?: string })
  | { readonly action: 'letters' }
  | { readonly action: 'discard'; readonly message: string }

/** The checkpoint, as far as plans depend on it. */
export interface StreamPlace {
  readonly clusterId: string
  readonly offset: string
  readonly generation: number
  readonly state: string
}

/** What plans need of a stream. */
export interface Actor {
  /** Asks recovery. Never rejects. */
  ask(event: RecoveryEvent): Promise<Asked>
  /** Null: there is no checkpoint, or it cannot be read. */
  readPlace(): Promise<StreamPlace | null>
  /** Called after recovery did what a plan says. */
  onDone(): void
}

interface StoredPlan {
  readonly title: string
  readonly event: RecoveryEvent
  /** Why it cannot be applied if it is not current. */
  readonly outdated?: string
  /** Whether all is as the plan found it. Where recovery proves that itself, it is always true. */
  readonly isCurrent: () => Promise<boolean>
}

/** Steps that are offered all the time. */
const always: readonly (readonly [id: string, step: Step])[] = [
  ['reset', { text: 'move the checkpoint to where nothing is lost', event: { action: 'reset' } }],
  ['pause', { text: 'stop the stream at its position', event: { action: 'pause' } }],
  ['resume', { text: 'let the stream continue', event: { action: 'resume' } }],
  ['redrive', { text: 'send the dead letters again', event: { action: 'redrive' } }],
]
const mostKept = 50
/** Actions that receive letters. Until they give them back, the queue hides them from others. */
const ofQueue: ReadonlySet<string> = new Set(['letters', 'redrive', 'discard'])
const movedStream = 'The stream moved since the plan was made.'
const changedQueue = 'The queue hands out other letters than when the plan was made.'
const provenByRecovery = async () => true

/**
 * Asks recovery, and changes the stream only by plans. A plan says what would happen. Its token does exactly that, once, and
 * only while all is as the plan found it.
 */
export class Plans {
  readonly #actor: Actor
  readonly #steps = new Map<string, Step>()
  readonly #plans = new Map<string, StoredPlan>()
  #lastOfQueue: Promise<unknown> = Promise.resolve()

  constructor(actor: Actor) {
    this.#actor = actor
  }

  /** Requests that receive letters wait for each other: otherwise one would find the queue empty. */
  #ask(event: RecoveryEvent): Promise<Asked> {
    if (!ofQueue.has(event.action)) return this.#actor.ask(event)
    const asked = this.#lastOfQueue.then(() => this.#actor.ask(event))
    this.#lastOfQueue = asked
    return asked
  }

  /** What recovery advises. It changes nothing. */
  async advise(): Promise<Told> {
    return this.offer(await this.#ask({ action: 'inspect' }))
  }

  /** The dead letters that come first. They stay in the queue. */
  async letters(): Promise<Letters | { readonly refused: Told }> {
    const { asked, listed } = await this.#list()
    return listed === null ? { refused: this.offer(asked) } : shownLetters(listed)
  }

  /** @returns null if no such step was offered */
  async plan({ step: id, message }: PlanRequest): Promise<Planned | null> {
    if (id === 'discard') return message === undefined ? null : this.#planDiscard(message)
    const step = always.find(([name]) => name === id)?.[1] ?? this.#steps.get(id)
    if (step?.event == null) return null
    const { event, text: title } = step
    if (event.action === 'reset') return this.#planReset(title, event)
    if (event.action === 'redrive' && !('dryRun' in event)) return this.#planRedrive(title, event)
    if (event.action === 'inspect' || event.action === 'doctor' || event.action === 'redrive')
      return { refused: this.offer(await this.#ask(event)) }
    const found = await this.#actor.readPlace()
    const isCurrent = async () => fingerprint(await this.#actor.readPlace()) === fingerprint(found)
    const token = this.#keep({ title, event, isCurrent })
    return { plan: { token, title, text: effectOf(event.action), facts: factsOf(found) } }
  }

  async #planReset(title: string, event: StepEvent): Promise<Planned> {
    const asked = await this.#ask({ ...event, dryRun: true })
    const dryRun = readDryRun(asked.result)
    if (dryRun === null) return { refused: this.offer(asked) }
    // Whether a loss is accepted is part of recovery's token.
    const applied = { action: 'reset', token: dryRun.token } as const
    const token = this.#keep({ title, event: applied, isCurrent: provenByRecovery })
    return { plan: { token, title, text: asked.text, facts: dryRun.facts } }
  }

  async #planRedrive(title: string, event: StepEvent): Promise<Planned> {
    const { asked, listed } = await this.#list()
    if (listed === null) return { refused: this.offer(asked) }
    if (listed.letters.length === 0) return { refused: { text: 'No dead letter waits.', steps: [] } }
    const isCurrent = async () => namesOf((await this.#list()).listed) === namesOf(listed)
    const text =
      'Recovery sends the letters to their functions again, in their order, and deletes each that is acknowledged. After the first ' +
      'that fails again, the later letters of that function stay. A handler without the fence may write an older row over a newer one.'
    return {
      plan: {
        token: this.#keep({ title, event, isCurrent, outdated: changedQueue }),
        title,
        text,
        facts: factsOfLetters(listed),
      },
    }
  }

  async #planDiscard(message: string): Promise<Planned> {
    const { asked, listed } = await this.#list()
    if (listed === null) return { refused: this.offer(asked) }
    const letter = listed.letters.find((one) => one.message === message)
    if (letter === undefined)
      return { refused: { text: 'The queue has this letter no longer. Nothing was done.', steps: [] } }
    const title = 'discard a dead letter'
    // The message's id names one letter, and recovery refuses if the queue has it no longer.
    const token = this.#keep({ title, event: { action: 'discard', message }, isCurrent: provenByRecovery })
    const { table, offset, function: name, error } = letter
    const facts = [
      { name: 'table', value: table || 'unknown' },
      { name: 'offset', value: offset },
      { name: 'function', value: name ?? 'none' },
      { name: 'reason', value: error },
    ]
    return { plan: { token, title, text: 'The letter is deleted. Its change is never delivered.', facts } }
  }

  async #list(): Promise<{ asked: Asked; listed: LettersResult | null }> {
    const asked = await this.#ask({ action: 'letters' })
    const { isDone, result } = asked
    return { asked, listed: isDone && hasOwn(result, 'letters') ? (result as LettersResult) : null }
  }

  /** Does what the plan says. @returns null if there is no such plan, or if it was applied already */
  async apply(token: string): Promise<Told | null> {
    const plan = this.#plans.get(token)
    if (plan === undefined) return null
    this.#plans.delete(token)
    if (!(await plan.isCurrent()))
      return { text: `${plan.outdated ?? movedStream} Nothing was done. Plan it again.`, steps: [] }
    const asked = await this.#ask(plan.event)
    if (asked.isDone) this.#actor.onDone()
    return this.offer(asked)
  }

  /** An answer for the page: its steps can be planned from now on. */
  offer({ text, steps }: Pick<Asked, 'text' | 'steps'>): Told {
    return { text, steps: steps.map((step) => this.#offerStep(step)) }
  }

  #offerStep(step: Step): OfferedStep {
    if (step.event === null) return { text: step.text, id: null }
    const id = randomBytes(9).toString('base64url')
    keep(this.#steps, id, step)
    return { text: step.text, id }
  }

  #keep(plan: StoredPlan): string {
    const token = randomBytes(16).toString('base64url')
    keep(this.#plans, token, plan)
    return token
  }
}

/** Forgets the oldest entry when the map is full. */
function keep<Value>(map: Map<string, Value>, name: string, value: Value): void {
  map.set(name, value)
  const [oldest] = map.keys()
  if (map.size > mostKept && oldest !== undefined) map.delete(oldest)
}

function effectOf(action: 'resume' | 'pause' | 'release'): string {
  switch (action) {
    case 'resume':
      return 'The halt ends. The poller continues at the position below, and sends again what no handler acknowledged.'
    case 'pause':
      return 'The poller ends its run and starts no other one. The position stays. Changes collect in the log.'
    case 'release':
      return 'The lease of the last run is broken. The position stays.'
  }
}

function factsOf(place: StreamPlace | null): Plan['facts'] {
  if (place === null) return []
  return [
    { name: 'cluster', value: place.clusterId },
    { name: 'offset', value: place.offset },
    { name: 'generation', value: String(place.generation) },
  ]
}

function factsOfLetters({ letters, waiting }: LettersResult): Plan['facts'] {
  const byFunction = Map.groupBy(letters, (letter) => letter.function ?? 'no function')
  return [
    { name: 'waiting', value: String(waiting) },
    ...[...byFunction].map(([name, [first]]) => ({
      name,
      value:
        first === undefined
          ? ''
          : `from offset ${first.offset} of ${first.table || 'an unknown table'}: ${first.error}`,
    })),
  ]
}

/** The letters that the queue handed out, as one text; null if it was not asked. */
function namesOf(listed: LettersResult | null): string | null {
  return listed === null ? null : listed.letters.map(({ message }) => message).join()
}

interface DryRun {
  readonly token: string
  readonly facts: Plan['facts']
}

/** Null: recovery refused the dry run. */
function readDryRun(result: unknown): DryRun | null {
  if (!hasOwn(result, 'token') || !hasOwn(result, 'to')) return null
  const { token, from, to, how, repeats, lost } = result as unknown as ResetResult
  if (token === null) return null
  const counted = Object.entries(repeats).map(([table, count]) => `${count} of ${table}`)
  const place = ({ clusterId, offset, generation }: NonNullable<ResetResult['from']>) =>
    `cluster ${clusterId}, offset ${offset}, generation ${generation}`
  const facts = [
    { name: 'from', value: from === null ? 'no checkpoint' : place(from) },
    { name: 'to', value: `${place(to)}, time ${to.time}` },
    { name: 'found by', value: how },
    { name: 'may repeat', value: counted.length === 0 ? 'no change' : counted.join(', ') },
    { name: 'lost', value: lost === null ? 'no change' : `changes from ${lost.from} to ${lost.to}` },
  ]
  return { token, facts }
}

function hasOwn(value: unknown, name: string): value is object {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
}

/** A running stream moves its offset all the time, so the offset counts only while the stream is stopped. */
function fingerprint(place: StreamPlace | null): string {
  if (place === null) return 'none'
  const { clusterId, generation, state, offset } = place
  return [clusterId, generation, state, state === 'RUNNING' ? '' : offset].join(' ')
}
