import { makeRecords, type RecordShape } from '../../../bench/ground/records.ts'
import { LogRecords } from '../../../lib/kafka/records.ts'
import type { Fetched, Stream } from '../../../lib/kafka/stream.ts'
import type { PollDependencies } from '../../../lib/poll/dependencies.ts'
import { poll } from '../../../lib/poll/poll.ts'
import type { PollSummary } from '../../../lib/poll/summary.ts'
import { acknowledge, dependencies, readUpTo, startedAt, streamOf, virtualTime } from '../poll/support.ts'

export interface Work extends RecordShape {
  /** Records that wait when the run begins. */
  readonly records: number
  readonly concurrency?: number
  /** Of each invocation, in virtual milliseconds. */
  readonly handlerMs?: number
  /** Left out: no change of columns is noticed. */
  readonly columns?: PollDependencies['columns']
  /** So many further changes come, one a second. */
  readonly trickle?: number
}

export interface Delivered {
  readonly summary: PollSummary
  readonly invocations: number
  /** Virtual milliseconds from the first invocation to the last answer. */
  readonly tookMs: number
  /** The most bytes of fetched slices that were in memory at once. */
  readonly heldBytes: number
  /** Virtual milliseconds from the append of each further change to its acknowledgement. */
  readonly delays: readonly number[]
}

const distinct = 3_000
/** Virtual milliseconds of one answer of the broker. */
const fetchMs = 4
const firstDelayMs = 3_000

/** One run of the poller over a log of repeated records, on virtual time. The handlers acknowledge everything. */
export async function deliver({
  records: waiting,
  concurrency = 1,
  handlerMs = 10,
  trickle = 0,
  columns,
  ...shape
}: Work): Promise<Delivered> {
  const values = makeRecords(shape, Math.min(distinct, waiting + trickle))
  const valueAt = (offset: bigint) => values[Number(offset % BigInt(values.length))] ?? Buffer.alloc(0)
  const time = virtualTime(3_600_000)
  const { signal } = new AbortController()
  const appendedAt = (n: number) => startedAt + firstDelayMs + n * 1_000
  const end = () =>
    BigInt(waiting + Math.min(trickle, Math.max(0, Math.floor((time.now() - appendedAt(0)) / 1_000) + 1)))

  let held = 0
  let mostHeld = 0
  const fetch: Stream['fetch'] = async (from, { maxBytes, maxWaitMs }): Promise<Fetched> => {
    await time.sleep(fetchMs, signal)
    if (from === end() && maxWaitMs > 0) {
      const nextAt = appendedAt(Number(from) - waiting)
      await time.sleep(Math.min(maxWaitMs, Math.max(0, nextAt - time.now())), signal)
    }
    const read: { offset: bigint; value: Buffer }[] = []
    let bytes = 0
    for (let offset = from; offset < end() && (bytes === 0 || bytes < maxBytes); offset++) {
      const value = valueAt(offset)
      read.push({ offset, value })
      bytes += value.length
    }
    held += bytes
    mostHeld = Math.max(mostHeld, held)
    const free = () => {
      held -= bytes
    }
    return { records: LogRecords.of(read), nextOffset: from + BigInt(read.length), end: end(), free }
  }

  const given = values.map((value) => ({ value, timestamp: startedAt / 1_000 }))
  const store = await readUpTo(1n, given)
  const stream = streamOf(given, { fetch, range: async () => ({ earliest: 0n, end: end() }) })
  const routes = Array.from({ length: shape.tables }, (_, part) => [
    `shop.orders_${part}`,
    { function: `orders_${part}`, concurrency },
  ])
  const environment = {
    ROUTES: JSON.stringify(Object.fromEntries(routes)),
    POLL_MAX_RECORDS: '100000000',
    POLL_MAX_BYTES: String(2 ** 35),
    ...(trickle > 0 ? { POLL_LINGER_SECONDS: '5' } : {}),
  }
  let invocations = 0
  let first = 0
  let last = 0
  const delays: number[] = []
  const summary = await poll(
    dependencies(
      store,
      stream,
      {
        ...time,
        ...(columns === undefined ? {} : { columns }),
        invoke: async (...parameters) => {
          invocations += 1
          if (first === 0) first = time.now()
          await time.sleep(handlerMs, signal)
          last = time.now()
          for (const { offset } of parameters[2]) {
            if (offset >= waiting) delays.push(last - appendedAt(Number(offset) - waiting))
          }
          return await acknowledge(...parameters)
        },
      },
      environment,
    ),
  )
  return { summary, invocations, tookMs: last - first, heldBytes: mostHeld, delays }
}
