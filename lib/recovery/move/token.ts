import { createHash } from 'node:crypto'
import { positionAttributes, positionSchema } from '../../checkpoint/item.ts'
import type { Checkpoint } from '../../checkpoint/types.ts'
import { DtsError } from '../../errors.ts'
import type { RecordsAround } from '../../log/survey-place.ts'
import * as z from '../../schema.ts'
import type { How, Move } from './decide.ts'

/** A dry run returns its move as a token, and a reset with the token applies exactly that move. */

const hows: Readonly<{ [Name in How]: Name }> = {
  stored: 'stored',
  anchor: 'anchor',
  time: 'time',
  gap: 'gap',
  timestamp: 'timestamp',
  offset: 'offset',
  earliest: 'earliest',
  latest: 'latest',
  committed: 'committed',
  ledger: 'ledger',
}

const sources: Readonly<{ [Name in Move['source']]: Name }> = {
  checkpoint: 'checkpoint',
  group: 'group',
  restored: 'restored',
  nothing: 'nothing',
  unasked: 'unasked',
  other: 'other',
}

const tokenSchema = z.strictObject({
  how: z.enum(hows),
  source: z.enum(sources),
  position: positionSchema,
  replayUntil: z.nullable(z.number()),
  counts: z.record(z.string(), z.number()),
  countedTo: z.nullable(z.string().check(z.regex(/^\d+$/))),
  lost: z.nullable(z.strictObject({ from: z.number(), to: z.number() })),
  acceptLoss: z.boolean(),
  /** The facts that the move was decided from, together with the position's tail. */
  madeFrom: z.strictObject({
    checkpoint: z.string(),
    clusterId: z.string(),
    /** Digest of the record that would be read first; null at the end of the log. */
    next: z.nullable(z.string()),
  }),
})

/** The facts of a dry run, beside the move that it decided. */
export interface MadeFrom {
  readonly read: Checkpoint | null
  readonly clusterId: string
  readonly next: string | null
  readonly acceptLoss: boolean
}

export function makeToken(move: Move, { read, clusterId, next, acceptLoss }: MadeFrom): string {
  const { how, source, position, replayUntil, repeats, lost } = move
  const token = {
    how,
    source,
    position: positionAttributes(position),
    replayUntil,
    counts: repeats.counts,
    countedTo: repeats.countedTo === null ? null : String(repeats.countedTo),
    lost,
    acceptLoss,
    madeFrom: { checkpoint: fingerprint(read), clusterId, next },
  }
  return Buffer.from(JSON.stringify(token)).toString('base64url')
}

/** The move of a dry run, not yet compared with the log. */
export interface TokenMove {
  readonly move: Move
  readonly acceptLoss: boolean
  readonly clusterId: string
  readonly next: string | null
}

/** @throws DtsError PLAN_OUTDATED if the token cannot be read, or the checkpoint changed */
export function readToken(token: string, read: Checkpoint | null): TokenMove {
  const { madeFrom, acceptLoss, counts, countedTo, ...rest } = parseToken(token)
  // Commits and pauses leave the epoch as it is, so the whole checkpoint is compared.
  if (madeFrom.checkpoint !== fingerprint(read)) throw outdated('The checkpoint moved')
  const { clusterId, next } = madeFrom
  const repeats = { counts, countedTo: countedTo === null ? null : BigInt(countedTo) }
  return { move: { kind: 'move', ...rest, repeats }, acceptLoss, clusterId, next }
}

/** @throws DtsError PLAN_OUTDATED if the log is not as the dry run found it */
export function requireUnchanged({ move, clusterId, next }: TokenMove, here: RecordsAround): void {
  const { offset, tail } = move.position
  const { earliest, end } = here.range
  if (clusterId !== here.clusterId || offset < earliest || offset > end) throw outdated('The log changed')
  if (tail !== null && here.below !== tail.digest) throw outdated('The record below the place changed')
  if (next !== null && here.next !== next) throw outdated('The record at the place changed')
}

function parseToken(token: string): z.output<typeof tokenSchema> {
  try {
    return tokenSchema.parse(JSON.parse(Buffer.from(token, 'base64url').toString('utf8')))
  } catch (cause) {
    throw new DtsError(
      'PLAN_OUTDATED',
      'The token is not from a dry run of this version. Nothing was done. Run the dry run again.',
      { retryable: false, cause },
    )
  }
}

/** All of the checkpoint except the holder and the end of its lease. */
function fingerprint(read: Checkpoint | null): string {
  if (read === null) return 'none'
  const { owner: _, leaseUntil: __, ...rest } = read
  const text = JSON.stringify(rest, (_key, value) => (typeof value === 'bigint' ? String(value) : value))
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

function outdated(what: string): DtsError {
  return new DtsError(
    'PLAN_OUTDATED',
    `${what} since the dry run. Nothing was done. Run the dry run again and use its token.`,
    { retryable: false },
  )
}
