import type { $ZodObject } from 'zod/v4/core'
import type { Batch, TransactionPart } from '../dispatch/batch-format.ts'
import { DtsError } from '../errors.ts'
import type { HandlerCalls, Progress } from './call-handler.ts'
import { closingMs, type HandlerContext } from './handler-context.ts'
import { type DecodedChange, decodePending, type PendingChange } from './pending-changes.ts'
import { sideOf } from './transactions.ts'

/** What the handling of transactions uses of a function. */
export interface TransactionCalls<Schema extends $ZodObject> {
  readonly row: Schema
  readonly calls: Pick<HandlerCalls<Schema>, 'one' | 'transaction'>
}

/**
 * Calls the handler with one transaction after the other until all are done, one fails, or the time runs short. A statement
 * divides the changes around it.
 */
export async function handleTransactions<Schema extends $ZodObject>(
  { row, calls }: TransactionCalls<Schema>,
  pending: readonly PendingChange[],
  parts: readonly TransactionPart[],
  context: HandlerContext,
): Promise<Progress> {
  let through: bigint | null = null
  let longestMs = 0
  let at = 0
  for (const { count, part } of parts) {
    const startedAt = Date.now()
    // At least one is tried, or a slow handler would never get anywhere.
    if (through !== null && context.getRemainingTimeInMillis() < longestMs * 2 + closingMs) break
    const done = await handlePart(row, calls, pending.slice(at, at + count), part, context)
    through = done.through ?? through
    if (done.failed !== null) return { through, failed: done.failed }
    longestMs = Math.max(longestMs, Date.now() - startedAt)
    at += count
  }
  return { through, failed: null }
}

async function handlePart<Schema extends $ZodObject>(
  row: Schema,
  calls: TransactionCalls<Schema>['calls'],
  pending: readonly PendingChange[],
  part: TransactionPart['part'],
  context: HandlerContext,
): Promise<Progress> {
  const [head] = pending
  const decoded: DecodedChange[] = []
  for (const next of pending) {
    const one = decodePending(row, next)
    // The handler gets all of them or none, so the first one counts as the failed one.
    if ('error' in one) return { through: null, failed: { ...one, offset: head?.offset ?? one.offset } }
    decoded.push(one)
  }
  let through: bigint | null = null
  for (let from = 0; from < decoded.length; ) {
    const statement = decoded[from]?.change.operation === 'DDL' ? decoded[from] : undefined
    const next = decoded.findIndex(({ change }, at) => at > from && change.operation === 'DDL')
    const to = statement !== undefined ? from + 1 : next === -1 ? decoded.length : next
    const own = sideOf(part, { isFirst: from === 0, isLast: to === decoded.length })
    const done =
      statement === undefined
        ? await calls.transaction(own, decoded.slice(from, to), context)
        : await calls.one(statement, context)
    if (done.failed !== null) return { through, failed: done.failed }
    through = done.through
    from = to
  }
  return { through, failed: null }
}

/** @throws DtsError CONFIG_INVALID if the batch does not name its transactions */
export function partsOf({ transactions }: Pick<Batch, 'transactions'>): readonly TransactionPart[] {
  if (transactions !== undefined) return transactions
  throw new DtsError(
    'CONFIG_INVALID',
    'The handler has onTransaction, and the batch does not name its transactions: an older poller sent it. Its changes wait until ' +
      'poller and table functions are of one deployment.',
    { retryable: false },
  )
}
