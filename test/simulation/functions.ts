import type { Context } from 'aws-lambda'
import * as z from 'zod'
import { type Batch, batchSchema, recordsOf, refusal } from '../../lib/dispatch/batch-format.ts'
import type { InvokeRequests } from '../../lib/dispatch/invoke.ts'
import type { DeclaredTable } from '../../lib/dispatch/pattern.ts'
import { defineTable } from '../../lib/handler/define-table.ts'
import { context } from '../rig/context.ts'
import type { Copy } from './deliveries.ts'
import { type Stage, strikes, survives } from './hazards.ts'
import { never } from './machine.ts'
import type { ObservedRun } from './observed.ts'
import type { TableFunction } from './tables.ts'

/** Lambda's answer to Invoke. */
interface Answer {
  readonly Payload: Buffer
  readonly FunctionError?: string
}

/** The fields of a change that the checkers use. */
interface Given {
  readonly offset: bigint
  readonly generation: number
  readonly replay: boolean
}

type Handler = (event: unknown, context: Context) => Promise<unknown>

/** A live copy of a function, and the callback that ends it. */
interface LiveCopy extends Copy {
  readonly end: (answer: Answer) => void
}

/** The table functions and Lambda's Invoke. Each invocation runs the real `defineTable` as one live copy. */
export class Functions {
  readonly #stage: Stage
  readonly #handlers = new Map<string, Handler>()
  readonly #copies = new WeakMap<Context, LiveCopy>()
  /** An operator fixed the handlers, so no change fails any more. */
  fixed = false
  /** The functions that are missing, denied or throttled. */
  readonly refusing = new Set<string>()

  constructor(stage: Stage) {
    this.#stage = stage
    for (const definition of stage.scenario.routing.functions) {
      this.#handlers.set(definition.name, this.#define(definition))
    }
  }

  requests(run: ObservedRun): InvokeRequests {
    return { invoke: (name, payload) => this.#invoke(run, name, payload) }
  }

  #define({ routes, style, workMs }: TableFunction): Handler {
    const one = async ({ offset, generation, replay }: Given, context: Context): Promise<void> => {
      const copy = this.#copies.get(context)
      if (copy === undefined) throw new TypeError('no copy')
      const { deliveries, clock } = this.#stage
      if (!copy.live) await never()
      deliveries.starts(copy, offset, replay)
      if (workMs > 0) {
        await new Promise<void>((resolve) => {
          clock.after(workMs, () => {
            if (copy.live) resolve()
          })
        })
      }
      const poison = this.fixed ? null : (copy.log.slotAt(offset)?.entry?.poison ?? null)
      if (poison === 'throws') throw new Error('poison')
      if (poison === 'hangs') await never()
      if (poison === 'crashes') {
        copy.end(crash())
        await never()
      }
      deliveries.finishes(copy, offset, generation)
    }
    const common = {
      table: (routes[0] ?? '*') as DeclaredTable,
      row: z.object({ id: z.union([z.number(), z.string()]) }),
      onDdl: one,
    }
    const inOrder = async (changes: readonly Given[], context: Context) => {
      for (const [index, change] of changes.entries()) {
        try {
          await one(change, context)
        } catch (error) {
          return { failedAt: index, error }
        }
      }
      return undefined
    }
    const table = {
      onChange: () => defineTable({ ...common, onChange: one }),
      onBatch: () => defineTable({ ...common, onBatch: inOrder }),
      onTransaction: () =>
        defineTable({
          ...common,
          onTransaction: async ({ changes }, context) => {
            const failed = await inOrder(changes, context)
            if (failed !== undefined) throw failed.error
          },
        }),
    }[style]()
    return table as Handler
  }

  #invoke(run: ObservedRun, name: string, payload: Buffer): Promise<Answer> {
    const batch = batchSchema.parse(JSON.parse(String(payload)))
    const { random, facts, deliveries, scenario, clock } = this.#stage
    const { rates } = scenario
    if (!survives(this.#stage, run)) return never()
    const indices = deliveries.invoking(run, name, recordsOf(batch), batch.transactions ?? null)
    if (this.refusing.has(name) || strikes(this.#stage, run, rates.refused)) {
      facts.fault(13)
      const status = random.pick([429, 403, 404, 500, 503] as const)
      return run.machine.request(random.whole(1, 20), random.whole(1, 20), () => {
        throw Object.assign(new Error('refused'), {
          name: 'ServiceError',
          $metadata: { httpStatusCode: status },
        })
      })
    }
    const isLost = strikes(this.#stage, run, rates.invokeReplyLost)
    const { log } = run
    if (log === null) throw new TypeError('the run invokes a function before it opened a log')
    return new Promise((resolve, reject) => {
      const copy: LiveCopy = {
        run,
        name,
        log,
        events: indices,
        live: true,
        end: (answer) => {
          if (!copy.live) return
          deliveries.copyEnds(copy)
          if (isLost) return
          clock.after(random.whole(1, 8), () =>
            run.machine.deliver(() => {
              if (!survives(this.#stage, run)) return
              run.machine.deliver(() => {
                this.#report(run, name, indices, batch, answer)
                resolve(answer)
              })
            }),
          )
        },
      }
      if (isLost) {
        facts.fault(12)
        this.#stage.mayPause(0.05)
        // The connection breaks at once, or the client waits for the answer until its timeout.
        const breaksAfter = random.pick([1, 500, scenario.config.handlerTimeoutMs + 10_000])
        clock.after(breaksAfter, () => run.machine.deliver(() => reject(new Error('socket hang up'))))
      }
      const leave = () => {
        clock.after(this.#startDelay(), () => this.#start(copy, batch))
      }
      // A process can freeze after its last check of the lease, before it sends the first byte.
      if (run.machine.frozen && random.chance(0.8)) run.machine.deliver(leave)
      else leave()
    })
  }

  /** The time until the handler begins. A cold start takes up to ten seconds, and requests may queue. */
  #startDelay(): number {
    const { random, scenario, quiet } = this.#stage
    if (quiet || !random.chance(scenario.rates.slowHandlers * 0.3)) return random.whole(1, 10)
    return random.pick([2_000, 10_000, 14_900])
  }

  #start(copy: LiveCopy, batch: Batch): void {
    const { random, facts, scenario, clock } = this.#stage
    const { rates, config } = scenario
    const endsAt = clock.now + config.handlerTimeoutMs
    clock.after(config.handlerTimeoutMs, () => {
      if (copy.live) facts.fault(11)
      copy.end(failure('Sandbox.Timedout', 'Task timed out'))
    })
    if (strikes(this.#stage, copy.run, rates.handlerFails)) {
      facts.fault(11)
      const kind = random.pick(['throws', 'crashes', 'hangs'] as const)
      if (kind === 'throws') copy.end(failure('Error', 'thrown'))
      if (kind !== 'crashes') return
      clock.after(random.whole(0, 500), () => copy.end(crash()))
    }
    const nonsense = strikes(this.#stage, copy.run, rates.nonsense)
    if (nonsense) {
      facts.fault(11)
      if (random.chance(0.7)) {
        copy.end(this.#nonsense(batch))
        return
      }
    }
    const handler = this.#handlers.get(copy.name)
    if (handler === undefined) throw new TypeError(`no function ${copy.name}`)
    const own = context(copy.name, () => endsAt - clock.now)
    this.#copies.set(own, copy)
    // Only this check uses the simulation's clock. For all else the function uses its own clock.
    const late = refusal(batch, clock.now)
    if (late !== null) {
      copy.end(answerOf(late))
      return
    }
    handler({ ...batch, startBefore: null }, own).then(
      (result) => copy.end(nonsense ? this.#nonsense(batch) : answerOf(result)),
      (error: unknown) => copy.end(failure('Error', String(error))),
    )
  }

  /** Answers that must never count as an acknowledgement. */
  #nonsense(batch: Batch): Answer {
    const { random } = this.#stage
    const { batchId } = batch
    const last = String(recordsOf(batch).at(-1)?.offset)
    const kinds = [
      'empty',
      'null',
      'object',
      'text',
      'foreign',
      'unsent',
      'nothing',
      'contradiction',
    ] as const
    switch (random.pick(kinds)) {
      case 'empty':
        return { Payload: Buffer.alloc(0) }
      case 'null':
        return answerOf(null)
      case 'object':
        return answerOf({})
      case 'text':
        return { Payload: Buffer.from('done') }
      case 'foreign':
        return answerOf({ batchId: 'of-another', acknowledgedThrough: last })
      case 'unsent':
        return answerOf({ batchId, acknowledgedThrough: String(BigInt(last) + 1n) })
      case 'nothing':
        return answerOf({ batchId, acknowledgedThrough: null })
      case 'contradiction': {
        const failure = { offset: last, code: 'HANDLER_FAILED', message: 'no' }
        return answerOf({ batchId, acknowledgedThrough: last, failure })
      }
    }
  }

  #report(run: ObservedRun, name: string, indices: readonly number[], batch: Batch, answer: Answer): void {
    const { facts, writes, deliveries } = this.#stage
    const through = acknowledgedThrough(batch, answer)
    const at = recordsOf(batch).findIndex(({ offset }) => String(offset) === through)
    writes.acknowledged(run, name, indices.slice(0, at + 1))
    if (at < indices.length - 1) {
      run.disturbed = true
      deliveries.failed(name, indices.slice(at + 1))
    }
    facts.log(
      () =>
        `${run.owner} gets an answer from ${name}: ${answer.FunctionError ?? `acknowledged through ${through}`}`,
    )
  }
}

const acknowledgement = z.object({
  batchId: z.string(),
  acknowledgedThrough: z.string().nullable(),
  failure: z.object({ offset: z.string() }).optional(),
})

/** The last offset that the answer acknowledges, found without the poller's own code. */
function acknowledgedThrough(
  { batchId }: { batchId: string },
  { Payload, FunctionError }: Answer,
): string | null {
  if (FunctionError !== undefined) return null
  try {
    const answer = acknowledgement.safeParse(JSON.parse(Payload.toString()))
    if (!answer.success || answer.data.batchId !== batchId) return null
    const { acknowledgedThrough: through, failure } = answer.data
    // A failed change is not done, even if the answer also acknowledges it.
    return failure !== undefined && failure.offset === through ? null : through
  } catch {
    return null
  }
}

function answerOf(result: unknown): Answer {
  return { Payload: Buffer.from(JSON.stringify(result)) }
}

function failure(errorType: string, errorMessage: string): Answer {
  return { ...answerOf({ errorType, errorMessage }), FunctionError: 'Unhandled' }
}

function crash(): Answer {
  return failure('Runtime.ExitError', 'Runtime exited with error: signal: killed')
}
