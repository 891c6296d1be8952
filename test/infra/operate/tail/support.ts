import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import type { TestContext } from 'node:test'
import { type TailCall, toTailCall } from '../../../../infra/operate/tail/arguments.ts'
import { outputTo, type Sink } from '../../../../infra/operate/tail/output.ts'
import { tail } from '../../../../infra/operate/tail/tail.ts'
import { parseChange } from '../../../../lib/dts/json.ts'
import { open } from '../../../support/open-stream.ts'
import type { NewRecord } from '../../../support/parts.ts'
import { filler, t0, Writer } from '../../../support/records.ts'

/** The source of `shop`, to continue it. */
export const write = new Writer()
/** Offsets 0 to 9: three inserts, an update, a delete, a statement, and records that reach no handler. */
export const shop: readonly NewRecord[] = [
  write.insert('shop.orders', 1, t0),
  write.mark('HEARTBEAT', t0),
  write.insert('shop.orders', 2, t0 + 1),
  write.insert('shop.users', 1, t0 + 2),
  ...filler(t0 + 2),
  write.update('shop.orders', 1, t0 + 3),
  write.delete('shop.orders', 2, t0 + 4),
  write.ddl('shop.orders', 'ALTER TABLE orders ADD x INT', t0 + 5),
]

export interface Result {
  readonly isComplete: boolean
  readonly out: string
  readonly messages: string
}

/** Runs tail on a stream of these records, as `npm run tail -- <argv>` does. */
export async function run(
  t: TestContext,
  argv: readonly string[],
  records: readonly NewRecord[] = shop,
  options: { readonly isTerminal?: boolean } = {},
): Promise<Result> {
  const { store, stream } = await open(t, records)
  const { sink, texts } = sinkOf(options.isTerminal ?? false)
  const messages = sinkOf(false)
  const isComplete = await tail(callOf(argv), {
    open: async () => stream,
    output: outputTo(sink, messages.sink, () => {}),
    now: () => 0,
    wait: async () => assert.fail('tail waits only to connect again'),
    signal: new AbortController().signal,
  })
  assert.deepEqual(
    [store.requests.OffsetCommit, store.requests.JoinGroup],
    [0, 0],
    'tail must not use the group',
  )
  return { isComplete, out: texts(), messages: messages.texts() }
}

/** A stream that keeps what is written to it. */
export function sinkOf(isTerminal: boolean) {
  const sink: Sink = Object.assign(
    new PassThrough(),
    isTerminal ? { isTTY: true, hasColors: () => true } : {},
  )
  const parts: string[] = []
  sink.on('data', (part) => parts.push(String(part)))
  return { sink, texts: () => parts.join('') }
}

/** The offsets of the changes that were printed as JSON. */
export const offsetsIn = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .filter(Boolean)
    .map((line) => Number(parseChange(line).offset))

/** The call that these arguments mean. */
export function callOf(argv: readonly string[]): TailCall {
  return toTailCall(argv) ?? assert.fail('only help')
}
