import { createHash } from 'node:crypto'
import { z } from 'zod'
import { positionAttributes, positionSchema } from '../../checkpoint/item.ts'
import type { Checkpoint, Position } from '../../checkpoint/types.ts'
import { digestOf } from '../../dts/digest.ts'
import { DtsError } from '../../errors.ts'
import type { Stream } from '../../kafka/stream.ts'
import { glance, isDamage } from '../../log/scan.ts'
import type { Lost } from './assess.ts'
import type { Known } from './known.ts'
import type { Landing } from './landing.ts'

/** What a reset writes, and what it says of that. A dry run gives it out as a token, which applies exactly this. */
export interface Plan {
  readonly how: Landing['how']
  readonly known: Known['by']
  readonly position: Position
  readonly replayUntil: number
  /** By table; see `ResetResult`. */
  readonly repeats: Readonly<Record<string, number>>
  readonly countedTo: string | null
  readonly lost: Lost | null
  readonly acceptLoss: boolean
}

const tokenSchema = z.strictObject({
  how: z.enum([
    'stored',
    'anchor',
    'time',
    'gap',
    'timestamp',
    'offset',
    'earliest',
    'latest',
    'committed',
    'ledger',
  ]),
  known: z.enum(['checkpoint', 'group', 'restored', 'nothing', 'unasked', 'other']),
  position: positionSchema,
  replayUntil: z.number(),
  repeats: z.record(z.string(), z.number()),
  countedTo: z.string().nullable(),
  lost: z.strictObject({ from: z.number(), to: z.number() }).nullable(),
  acceptLoss: z.boolean(),
  /** Of everything that the plan was made from; with the record below, which is the position's tail. */
  madeFrom: z.strictObject({
    checkpoint: z.string(),
    clusterId: z.string(),
    /** Digest of the record that would be read first; null at the end of the log. */
    next: z.string().nullable(),
  }),
})

export async function makeToken(plan: Plan, read: Checkpoint | null, stream: Stream): Promise<string> {
  const next = await firstDigest(plan.position.offset, stream)
  const token = {
    ...plan,
    position: positionAttributes(plan.position),
    madeFrom: { checkpoint: fingerprint(read), clusterId: stream.clusterId, next },
  }
  return Buffer.from(JSON.stringify(token)).toString('base64url')
}

/**
 * The plan of a dry run.
 * @throws DtsError PLAN_OUTDATED when anything that it was made from is not as it was
 */
export async function readToken(token: string, read: Checkpoint | null, stream: Stream): Promise<Plan> {
  const { madeFrom, ...plan } = parseToken(token)
  // Commits and pauses leave the epoch alone, so nothing less than the whole checkpoint tells that it is the same.
  if (madeFrom.checkpoint !== fingerprint(read)) throw outdated('The checkpoint moved')
  const { offset, tail } = plan.position
  const { earliest, end } = await stream.range()
  if (madeFrom.clusterId !== stream.clusterId || offset < earliest || offset > end)
    throw outdated('The log changed')
  if (tail !== null && (await firstDigest(tail.offset, stream)) !== tail.digest)
    throw outdated('Another record stands below the place')
  if (madeFrom.next !== null && (await firstDigest(offset, stream)) !== madeFrom.next)
    throw outdated('Another record stands at the place')
  return plan
}

function parseToken(token: string): z.output<typeof tokenSchema> {
  try {
    return tokenSchema.parse(JSON.parse(Buffer.from(token, 'base64url').toString('utf8')))
  } catch (cause) {
    throw new DtsError(
      'PLAN_OUTDATED',
      'The token is not one that a dry run of this version gave out. Run the dry run again.',
      { retryable: false, cause },
    )
  }
}

/** Everything that the checkpoint says, except who holds its lease and until when. */
function fingerprint(read: Checkpoint | null): string {
  if (read === null) return 'none'
  const { owner: _, leaseUntil: __, ...rest } = read
  const text = JSON.stringify(rest, (_key, value) => (typeof value === 'bigint' ? String(value) : value))
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

/** Stands for the digest of a record in a batch that cannot be read: whoever is halted before one plans there, too. */
const unreadable = 'unreadable'

/** Digest of the first record at or behind an offset, if any; control batches leave holes among the offsets. */
async function firstDigest(offset: bigint, stream: Stream): Promise<string | null> {
  const { end } = await stream.range()
  try {
    for (let from = offset; from < end; ) {
      const { records, nextOffset } = await stream.fetch(from, glance)
      const [first] = records
      if (first !== undefined) return digestOf(first.value)
      if (nextOffset === from) return null
      from = nextOffset
    }
  } catch (error) {
    if (isDamage(error)) return unreadable
    throw error
  }
  return null
}

function outdated(what: string): DtsError {
  return new DtsError(
    'PLAN_OUTDATED',
    `${what} since the dry run. Nothing was done. Run the dry run again and use its token.`,
    { retryable: false },
  )
}
