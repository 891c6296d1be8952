import '../../../rig/quiet.ts'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineTable, type HandlerContext } from '../../../../lib/handler/define-table.ts'
import { batchOf, insertsOf, row, send } from './support.ts'

/** Sends one change to a function with this time. @returns what the handler read of its context */
async function seenWith<Seen>(remainingMs: number, read: (context: HandlerContext) => Seen): Promise<Seen[]> {
  const seen: Seen[] = []
  const handler = defineTable({
    table: 'shop.orders',
    row,
    onChange: (_change, context) => {
      seen.push(read(context))
    },
  })
  await send(handler, batchOf(insertsOf(1)), () => remainingMs)
  return seen
}

describe('the context of a handler', () => {
  test('has the time at which Lambda ends the invocation', async () => {
    const before = Date.now()
    const [deadline = 0] = await seenWith(20_000, (context) => context.deadline)
    assert.ok(deadline >= before + 20_000 && deadline <= Date.now() + 20_000, String(deadline - before))
  })

  test('has a signal that leaves the function the time to answer before the deadline', async () => {
    const read = ({ signal }: HandlerContext) => signal
    const [early, late] = [await seenWith(20_000, read), await seenWith(0, read)]
    assert.equal(early[0]?.aborted, false)
    const ending = late[0] as AbortSignal
    if (!ending.aborted)
      await new Promise((resolve) => ending.addEventListener('abort', resolve, { once: true }))
    assert.equal((ending.reason as Error).name, 'TimeoutError')
  })

  test('is one signal for all changes of an invocation', async () => {
    const signals = new Set<AbortSignal>()
    const handler = defineTable({
      table: 'shop.orders',
      row,
      onChange: (_change, { signal }) => void signals.add(signal),
    })
    await send(handler, batchOf(insertsOf(1, 2)))
    assert.equal(signals.size, 1)
  })

  test('is still Lambda’s own context', async () => {
    const [name] = await seenWith(20_000, ({ functionName }) => functionName)
    assert.equal(name, 'orders')
  })
})
