import { parseCondition } from '../condition/condition.ts'
import { maskRules } from '../dts/mask-record.ts'
import type { Operation } from '../dts/types.ts'
import { isDtsError } from '../errors.ts'
import * as z from '../schema.ts'

/**
 * The largest batch, in bytes of its records. An invocation carries at most 6 MB. Records that do not compress grow by a
 * third in base64, and the envelope takes some.
 */
export const maxBatchBytes = 4_300_000

const name = z.string().check(z.minLength(1))
const names = z.array(name).check(z.minLength(1))

/** Which row changes reach the handler; DDL always does. The poller judges them before it invokes a function. */
const filterSchema = z
  .strictObject({
    /** An update reaches the handler only if it changes one of these columns, or the primary key. */
    changed: z.optional(names),
    /**
     * A condition such as `status = 'paid' and total > 100`. A change reaches the handler if the row matches before or after
     * it, or if its images lack a column of the condition.
     */
    where: z.optional(
      z.string().check((context) => {
        try {
          parseCondition(context.value)
        } catch (error) {
          if (!isDtsError(error)) throw error
          context.issues.push({ code: 'custom', message: error.message, input: context.value })
        }
      }),
    ),
  })
  .check(
    z.refine(({ changed, where }) => changed !== undefined || where !== undefined, 'needs changed or where'),
  )
export type Filter = z.output<typeof filterSchema>

const whole = (low: number, high: number, usual: number) =>
  z._default(z.int().check(z.minimum(low), z.maximum(high)), usual)

/**
 * How a table's changes are delivered. The table's file declares it, and the deployment carries it to the poller. Every
 * setting has a default, so that a route is usually only a function's name.
 */
export const deliverySchema = z.strictObject({
  /** The number of attempts before `onFailure`. The backoff between two attempts grows up to 30 s. */
  attempts: whole(1, 100, 5),
  /** The longest time for attempts, in seconds since the first failure. The time of outages does not count. */
  maxAgeSeconds: whole(1, 86_400, 3_600),
  /** After the last attempt: send the change to the dead-letter queue and continue, or halt the stream. */
  onFailure: z._default(z.enum(['dead-letter', 'halt']), 'dead-letter'),
  /** The most changes of one invocation. */
  batchSize: whole(1, 10_000, 1_000),
  /** The most bytes of one invocation, as DTS wrote the records. A change that is larger travels alone. */
  batchBytes: whole(1_000, maxBatchBytes, maxBatchBytes),
  /**
   * How long a batch that is not full may wait for more changes at the end of the stream, in seconds. Shorter than the minute after
   * which another run may take over, because that run begins the wait again.
   */
  batchWindowSeconds: whole(0, 30, 0),
  /**
   * The number of parallel lanes of the function, split by primary key. A table without a key has one lane. No change runs parallel
   * to a statement, to an update that changes the key, or to a change whose key cannot be folded (`fold-text.ts`).
   */
  concurrency: whole(1, 32, 1),
  /** Only these operations reach the handler; DDL always does. Absent: all. */
  operations: z.optional(
    z.array(z.enum(['INSERT', 'UPDATE', 'DELETE', 'INIT'] satisfies Operation[])).check(z.minLength(1)),
  ),
  filter: z.optional(filterSchema),
  /**
   * When the table has a new, lost or retyped column: report it once, halt the stream before the first such change, or do not look.
   */
  onDrift: z._default(z.enum(['warn', 'halt', 'ignore']), 'warn'),
  /** The function gets whole transactions of the source. */
  transactions: z.optional(z.literal(true)),
  /**
   * Columns that the poller masks before it sends or stores a change: `hash` puts a pseudonym in the place of the value, `drop`
   * leaves the column out. With `-if-present`, the table may lack the column; otherwise the stream halts then.
   */
  mask: z.optional(
    z
      .record(name, z.enum(maskRules))
      .check(z.refine((mask) => Object.keys(mask).length > 0, 'names no column')),
  ),
})
export type Delivery = z.output<typeof deliverySchema>
/** What a handler may declare. `transactions` follows from its callback. */
export type DeliveryInput = Omit<z.input<typeof deliverySchema>, 'transactions'>

export const defaultDelivery: Delivery = deliverySchema.parse({})

const functionKey = z.string().check(z.regex(/^[A-Za-z0-9_-]{1,64}$/))

/** The poller's routes: table pattern → function, with its exceptions and the settings that differ from the defaults. */
export const routesSchema = z.record(
  name,
  z.union([functionKey, z.extend(deliverySchema, { function: functionKey, except: z.optional(names) })]),
)

export interface Route extends Delivery {
  readonly functionName: string
  /** Patterns of tables that the function leaves out; absent: none. */
  readonly except?: readonly string[] | undefined
}

/** @param prefix the part of a deployed function's name before its key */
export function toRoutes(routes: z.output<typeof routesSchema>, prefix: string): Record<string, Route> {
  return Object.fromEntries(
    Object.entries(routes).map(([pattern, route]) => {
      const { function: key, ...delivery } =
        typeof route === 'string' ? { function: route, ...defaultDelivery } : route
      return [pattern, { ...delivery, functionName: prefix + key }]
    }),
  )
}

/** A route as the deployment writes it: only the function's key if all settings have their defaults. */
export function routeJson(
  key: string,
  delivery: Delivery,
  except: readonly string[] = [],
): z.input<typeof routesSchema>[string] {
  const defaults: Record<string, unknown> = { ...defaultDelivery }
  const own = Object.entries(delivery).filter(
    ([name, value]) => value !== undefined && value !== defaults[name],
  )
  if (own.length === 0 && except.length === 0) return key
  return {
    ...Object.fromEntries(own),
    ...(except.length === 0 ? {} : { except: [...except] }),
    function: key,
  }
}
