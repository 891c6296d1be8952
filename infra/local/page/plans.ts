import { randomBytes } from 'node:crypto'
import type { Checkpoint } from '../../../lib/checkpoint/types.ts'
import type { ResetResult } from '../../../lib/recovery/move/reset.ts'
import type { StepEvent } from '../../../lib/recovery/next-steps.ts'
import type { Answer } from '../stack.ts'
import { askRecovery, type LocalStep } from '../steps.ts'
import type { OfferedStep, Plan, Planned, Told } from './messages.ts'

/** The parts of the stack that plans need. */
export interface Actor {
  invoke(name: 'poller' | 'recovery', event: unknown): Promise<Answer>
  readCheckpoint(): Promise<Checkpoint | null>
}

/** An event of recovery, with the members that its action has. */
type RecoveryEvent = StepEvent & { readonly dryRun?: true; readonly token?: string }

interface StoredPlan {
  readonly title: string
  readonly event: RecoveryEvent
  /** The checkpoint that the plan was made from; null if recovery's own token proves it. */
  readonly madeFrom: string | null
}

/** Steps that are offered all the time. */
const always: readonly (readonly [id: string, step: LocalStep])[] = [
  ['reset', { text: 'move the checkpoint to where nothing is lost', event: { action: 'reset' } }],
  ['pause', { text: 'stop the stream at its position', event: { action: 'pause' } }],
  ['resume', { text: 'let the stream continue', event: { action: 'resume' } }],
]
const mostKept = 50
const by = 'page'

/**
 * Asks recovery, and changes the stream only by plans. A plan says what would happen. Its token does exactly that, once, and
 * only while the checkpoint is as the plan found it.
 */
export class Plans {
  readonly #actor: Actor
  readonly #steps = new Map<string, LocalStep>()
  readonly #plans = new Map<string, StoredPlan>()

  constructor(actor: Actor) {
    this.#actor = actor
  }

  /** What recovery advises. It changes nothing. */
  async advise(): Promise<Told> {
    return (await this.#ask({ action: 'inspect' })).told
  }

  /** @param id of a step that was offered. @returns null if there is no such step */
  async plan(id: string): Promise<Planned | null> {
    const step = always.find(([name]) => name === id)?.[1] ?? this.#steps.get(id)
    if (step?.event == null) return null
    const { event, text: title } = step
    if (event.action === 'reset') return this.#planReset(title, event)
    if (event.action === 'inspect' || event.action === 'doctor' || event.action === 'redrive')
      return { refused: (await this.#ask(event)).told }
    const checkpoint = await this.#actor.readCheckpoint()
    const token = this.#keep({ title, event, madeFrom: fingerprint(checkpoint) })
    return { plan: { token, title, text: effectOf(event.action), facts: factsOf(checkpoint) } }
  }

  async #planReset(title: string, event: StepEvent): Promise<Planned> {
    const { told, result } = await this.#ask({ ...event, dryRun: true })
    const dryRun = readDryRun(result)
    if (dryRun === null) return { refused: told }
    // Whether a loss is accepted is part of recovery's token.
    const token = this.#keep({ title, event: { action: 'reset', token: dryRun.token }, madeFrom: null })
    return { plan: { token, title, text: told.text, facts: dryRun.facts } }
  }

  /** Does what the plan says. @returns null if there is no such plan, or if it was applied already */
  async apply(token: string): Promise<Told | null> {
    const plan = this.#plans.get(token)
    if (plan === undefined) return null
    this.#plans.delete(token)
    const { event, madeFrom } = plan
    if (madeFrom !== null && madeFrom !== fingerprint(await this.#actor.readCheckpoint())) {
      return { text: 'The stream moved since the plan was made. Nothing was done. Plan it again.', steps: [] }
    }
    const { told, isDone } = await this.#ask(event)
    // Continue at once, not with the next scheduled run.
    if (isDone) void this.#actor.invoke('poller', {}).catch(() => {})
    return told
  }

  async #ask(event: RecoveryEvent): Promise<{ told: Told; isDone: boolean; result: unknown }> {
    const { text, steps, isDone, result } = await askRecovery(this.#actor, event, by)
    return { told: { text, steps: steps.map((step) => this.#offer(step)) }, isDone, result }
  }

  #offer(step: LocalStep): OfferedStep {
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

function factsOf(checkpoint: Checkpoint | null): Plan['facts'] {
  if (checkpoint === null) return []
  return [
    { name: 'cluster', value: checkpoint.clusterId },
    { name: 'offset', value: String(checkpoint.offset) },
    { name: 'generation', value: String(checkpoint.generation) },
  ]
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
function fingerprint(checkpoint: Checkpoint | null): string {
  if (checkpoint === null) return 'none'
  const { clusterId, generation, state, offset } = checkpoint
  return [clusterId, generation, state, state === 'RUNNING' ? '' : offset].join(' ')
}
