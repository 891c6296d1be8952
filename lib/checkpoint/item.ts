import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { errorCodeNames } from '../error-code-names.ts'
import { DtsError, type NextStep } from '../errors.ts'
import * as z from '../schema.ts'
import type { SourceTimes } from './source-times.ts'
import {
  type Anchor,
  type Checkpoint,
  type Halt,
  haltOf,
  type LedgerEntry,
  type Pause,
  type Position,
  type StreamState,
  type Tail,
} from './types.ts'
import { decodeWish } from './wish.ts'

/**
 * The checkpoint as a DynamoDB item and back. Offsets are DynamoDB numbers (38 digits), so that conditions compare them as
 * numbers. The parts that no condition compares are JSON strings.
 *
 * Only this file knows how the item writes what is absent, so that older and newer versions can read each other's items: the
 * number 0 for a lease that no run holds, the number -1 for a reset that repeats nothing, and the state HALTED with the code
 * PAUSED for a pause.
 */

export const schemaVersion = 1

export type Attributes = Record<string, AttributeValue>

const noLease = 0
const noReplay = -1

const integerText = z.string().check(z.regex(/^\d+$/))
const offsetText = z.pipe(
  integerText,
  z.transform((digits) => BigInt(digits)),
)

/**
 * Defaults are for items of versions that did not write the field yet. This version leaves out unknown members: a later version
 * added them under the same schemaVersion, so a rollback to this version needs only its own code.
 */
const anchorSchema = z.object({
  offset: offsetText,
  timestamp: z.number(),
  sourcePosition: z.string(),
  transactionId: z.string(),
  ordinal: z._default(z.nullable(z.int().check(z.minimum(0))), null),
  digest: z.string(),
})
const distanceSchema = z.object({ once: z.number(), often: z.number() })
const timesSchema = z.object({
  settled: z.number(),
  jump: z.nullable(z.object({ from: z.number(), to: z.number(), width: z.number() })),
  fall: z.number(),
  back: distanceSchema,
  ahead: distanceSchema,
  halvedAt: z.number(),
  youngest: z.number(),
})
const tailSchema = z.object({ offset: offsetText, digest: z.string() })
const laneSchema = z.object({
  through: z.nullable(offsetText),
  anchor: z._default(z.nullable(anchorSchema), null),
  begin: z.optional(offsetText),
  trouble: z.nullable(
    z.object({
      offset: offsetText,
      attempts: z.number(),
      since: z.number(),
      nextAt: z.number(),
      limit: z.nullable(z.number()),
      outages: z.optional(z.number()),
    }),
  ),
})
const purpose = z.optional(z.string())
const actions = ['inspect', 'doctor', 'resume', 'pause', 'release'] as const
const nextStepSchema: z.ZodMiniType<NextStep> = z.discriminatedUnion('action', [
  z.object({ action: z.enum(actions), purpose }),
  z.object({
    action: z.literal('reset'),
    to: z.optional(
      z.union([
        z.enum(['earliest', 'latest', 'committed']),
        z.object({ offset: integerText }),
        z.object({ timestamp: z.number() }),
        z.object({ ledger: z.number() }),
      ]),
    ),
    token: z.optional(z.string()),
    acceptLoss: z.optional(z.literal(true)),
    purpose,
  }),
  z.object({
    action: z.literal('redrive'),
    table: z.optional(z.string()),
    dryRun: z.optional(z.literal(true)),
    purpose,
  }),
  z.object({ action: z.literal('wait'), until: z.string(), purpose }),
  z.object({ action: z.literal('deploy'), change: z.string(), purpose }),
])
/** A step of a later version is left out: it must not make the item unreadable. */
const nextSchema = z.pipe(
  z._default(z.array(z.unknown()), []),
  z.transform((steps) => steps.flatMap((step) => nextStepSchema.safeParse(step).data ?? [])),
)
const knownCode = z.enum(errorCodeNames)
const haltSchema = z.pipe(
  z.object({
    code: z.string(),
    message: z.string(),
    // Absent in items of versions that did not store it.
    facts: z._default(z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])), {}),
    next: nextSchema,
    at: z.number(),
  }),
  z.transform(({ code, message, ...rest }) => {
    const known = knownCode.safeParse(code)
    if (known.success) return { code: known.data, message, ...rest }
    // A later version has more codes. After a rollback, a person must still see why the stream halted.
    return { code: 'STREAM_HALTED' as const, message: `${code}: ${message}`, ...rest }
  }),
)
const placeSchema = z.object({ clusterId: z.string(), offset: integerText, generation: z.number() })
const ledgerSchema = z.array(
  z.object({
    at: z.number(),
    by: z.string(),
    how: z.string(),
    from: z.nullable(placeSchema),
    to: placeSchema,
  }),
)

const text = z.pipe(
  z.object({ S: z.string() }),
  z.transform(({ S }) => S),
)
const number = z.pipe(
  z.object({ N: z.string() }),
  z.transform(({ N }) => Number(N)),
)
/** Conditions compare these numbers. If JavaScript rounded one, it would never be equal to the item's. */
const exact = number.check(
  z.refine(Number.isSafeInteger, 'is not a whole number that JavaScript represents exactly'),
)
const bigint = z.pipe(
  z.object({ N: integerText }),
  z.transform(({ N }) => BigInt(N)),
)
const json = <Schema extends z.ZodMiniType>(schema: Schema) =>
  z.pipe(
    text,
    z.transform((value, context): z.infer<Schema> => {
      try {
        return schema.parse(JSON.parse(value))
      } catch {
        context.issues.push({ code: 'custom', message: 'is not the expected JSON', input: value })
        return z.NEVER
      }
    }),
  )

const itemSchema = z.object({
  pk: text,
  schemaVersion: number.check(z.refine((version) => version === schemaVersion, `is not ${schemaVersion}`)),
  epoch: exact,
  owner: z.optional(text),
  leaseUntil: z.pipe(
    exact,
    z.transform((time) => (time === noLease ? null : time)),
  ),
  generation: exact,
  clusterId: text,
  offset: bigint,
  timestamp: number,
  // Absent in items of versions that did not measure it.
  times: z.pipe(
    z.optional(json(z.nullable(timesSchema))),
    z.transform((times) => times ?? null),
  ),
  anchor: json(z.nullable(anchorSchema)),
  tail: json(z.nullable(tailSchema)),
  lanes: json(z.record(z.string(), laneSchema)),
  deadLetters: json(z.object({ since: z.number(), count: z.number() })),
  replayUntil: z.pipe(
    number,
    z.transform((time) => (time === noReplay ? null : time)),
  ),
  state: z.pipe(text, z.enum(['RUNNING', 'HALTED'])),
  halt: json(z.nullable(haltSchema)),
  ledger: json(ledgerSchema),
  wish: z.pipe(
    z.catch(z.optional(z.looseObject({ S: z.string() })), undefined),
    z.transform((wish) => decodeWish(wish)),
  ),
})

/** The attributes that `positionAttributes` writes. */
export const positionSchema = z.pick(itemSchema, {
  offset: true,
  timestamp: true,
  times: true,
  anchor: true,
  tail: true,
  lanes: true,
  deadLetters: true,
})

/** @throws DtsError CHECKPOINT_INVALID, which names each attribute that this version cannot read */
export function fromItem(key: string, item: Attributes): Checkpoint {
  const result = itemSchema.safeParse(item)
  if (!result.success) {
    const problems = result.error.issues.map(
      (issue) => `${issue.path[0]?.toString() ?? 'item'}: ${issue.message}`,
    )
    throw new DtsError(
      'CHECKPOINT_INVALID',
      `The checkpoint item ${key} cannot be read (${problems.join('; ')}). Another version wrote it, ` +
        'or a person: deploy the version that wrote it, or restore it from the point-in-time recovery of its table (into ' +
        'another table, then copy the item back). Do not delete it: only this item says which changes were handled.',
      { retryable: false, facts: { key } },
    )
  }
  const { pk, schemaVersion: _version, owner, state, halt, ...rest } = result.data
  return { key: pk, owner: owner ?? null, ...rest, ...toState(state, halt) }
}

function toState(state: 'RUNNING' | 'HALTED', halt: Halt | null): StreamState {
  if (state === 'RUNNING') return { state }
  return halt?.code === 'PAUSED' ? { state: 'PAUSED', pause: toPause(halt) } : { state, halt }
}

function toPause({ message, facts: { by, reason }, at }: Halt): Pause {
  // Older versions stored only the message.
  if (typeof by !== 'string') return { by: null, reason: message, at }
  return { by, reason: typeof reason === 'string' ? reason : null, at }
}

/** How the item writes a state. */
export function stateText(state: StreamState['state']): 'RUNNING' | 'HALTED' {
  return state === 'RUNNING' ? 'RUNNING' : 'HALTED'
}

export function stateAttributes(state: StreamState): Attributes {
  return { state: encodeText(stateText(state.state)), halt: encodeJson(haltOf(state)) }
}

const bigintAsText = (_key: string, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)
export const encodeJson = (
  value:
    | Anchor
    | SourceTimes
    | Tail
    | Halt
    | readonly LedgerEntry[]
    | Position['lanes']
    | Position['deadLetters']
    | null,
): AttributeValue => ({ S: JSON.stringify(value, bigintAsText) })
export const encodeNumber = (value: number | bigint): AttributeValue => ({ N: value.toString() })
/** The end of a lease in milliseconds since 1970; null if no run holds it. */
export const encodeLeaseEnd = (leaseUntil: number | null): AttributeValue =>
  encodeNumber(leaseUntil ?? noLease)
/** In seconds. */
export const encodeReplay = (replayUntil: number | null): AttributeValue =>
  encodeNumber(replayUntil ?? noReplay)
export const encodeText = (value: string): AttributeValue => ({ S: value })

/** The attributes that a commit, a reset and a first start all write. */
export function positionAttributes(position: Position): Attributes {
  return {
    offset: encodeNumber(position.offset),
    timestamp: encodeNumber(position.timestamp),
    times: encodeJson(position.times),
    anchor: encodeJson(position.anchor),
    tail: encodeJson(position.tail),
    lanes: encodeJson(position.lanes),
    deadLetters: encodeJson(position.deadLetters),
  }
}
