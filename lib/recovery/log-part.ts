import { timeSchema } from '../config.ts'
import { DtsError } from '../errors.ts'
import { type DataRange, formatOffsets } from '../kafka/data-range.ts'
import type { Stream } from '../kafka/stream.ts'
import { locateTime } from '../log/locate-time.ts'
import * as z from '../schema.ts'
import { offsetSchema } from './offset-schema.ts'

/** A place in the log, as a person names it. */
export const pointSchema = z.union(
  [z.strictObject({ offset: offsetSchema }), z.strictObject({ timestamp: timeSchema })],
  'must be {"timestamp":…} or {"offset":…}',
)
type Point = z.output<typeof pointSchema>

/** A part of the log that was asked for. */
export interface LogPart {
  readonly from: bigint
  /** The offset after it; it may be above the end of the log. */
  readonly to: bigint
  readonly range: DataRange
}

/**
 * @param asked without `from`: from the first record; without `to`: to the end of the log
 * @param nothingDone what the error says about the action, such as "Nothing was sent."
 * @throws DtsError CHECKPOINT_OUT_OF_RANGE if the part does not begin in the log, or ends before it begins
 */
export async function findPart(
  asked: { readonly from?: Point | undefined; readonly to?: Point | undefined },
  stream: Stream,
  nothingDone: string,
): Promise<LogPart> {
  const range = await stream.range()
  const from = asked.from === undefined ? range.earliest : await resolve(asked.from, stream)
  const to = asked.to === undefined ? range.end : await resolve(asked.to, stream)
  if (from < range.earliest || from > range.end || to < from) throw noSuchPart(from, to, range, nothingDone)
  return { from, to, range }
}

function resolve(at: Point, stream: Stream): Promise<bigint> | bigint {
  return 'offset' in at ? at.offset : locateTime(stream, at.timestamp)
}

function noSuchPart(from: bigint, to: bigint, range: DataRange, nothingDone: string): DtsError {
  const { earliest, end } = range
  return new DtsError(
    'CHECKPOINT_OUT_OF_RANGE',
    `The log has no part from offset ${from} to ${to} (exclusive): it holds ${formatOffsets(range)}. ${nothingDone} ` +
      'Begin inside that range, and do not end before the beginning.',
    {
      retryable: false,
      facts: { from: String(from), to: String(to), earliest: String(earliest), end: String(end) },
    },
  )
}
