import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordsOf } from '../../../../lib/dispatch/batch-format.ts'
import { deadLetterSchema } from '../../../../lib/dispatch/dead-letter.ts'
import type { DeadLetterSource, Received } from '../../../../lib/dispatch/dead-letter-source.ts'
import { pseudonym } from '../../../../lib/dispatch/mask.ts'
import type { Mask } from '../../../../lib/dts/mask-record.ts'
import { redrive, redriveSchema } from '../../../../lib/recovery/resend/redrive.ts'
import { all, route } from '../../../support/dispatch.ts'
import { t0, Writer } from '../../../support/records.ts'

const key = 'a key of this test'
const write = new Writer()

function letterOf(offset: number, value: Buffer): Received {
  const letter = deadLetterSchema.parse({
    version: 1,
    functionName: 'orders',
    table: 'shop.orders',
    topic: 't',
    partition: 0,
    clusterId: 'c',
    generation: 1,
    offset: String(offset),
    attempts: 1,
    at: '2026-01-01T00:00:00.000Z',
    error: { code: 'HANDLER_FAILED', message: 'no' },
    raw: value.toString('base64'),
    event: null,
  })
  return { letter, messageId: String(offset), receipt: String(offset) }
}

/** Redrives these letters with a handler that masks. @returns what the handler got, and what stays in the queue */
async function redriven(values: readonly Buffer[], mask: Mask) {
  const waiting = values.map((value, index) => letterOf(index, value))
  const got: Buffer[] = []
  const deadLetters: DeadLetterSource = {
    receive: async (max, isWanted) => ({
      items: waiting.filter(({ letter, messageId }) => isWanted(letter, messageId)).slice(0, max),
      others: [],
    }),
    remove: async (item) => void waiting.splice(waiting.indexOf(item), 1),
    giveBack: async () => {},
    load: () => assert.fail('no letter is in the bucket'),
    count: async () => waiting.length,
  }
  const answer = await redrive(redriveSchema.parse({ action: 'redrive' }), {
    deadLetters,
    routes: { 'shop.orders': route('orders', { mask }) },
    ghostTables: 'skip',
    maskKey: async () => key,
    handlerTimeoutMs: 1_000,
    remainingMs: () => 600_000,
    invoke: async (_name, batch, events) => {
      got.push(...recordsOf(batch).map(({ value }) => value))
      return all(events)
    },
  })
  return { answer, got, left: waiting.length }
}

test('a letter from before the mask is masked when it is sent again, and a masked one stays as it is', async () => {
  const clear = write.insert('shop.orders', 7, t0).value ?? Buffer.alloc(0)
  const mask = { status: 'hash', unread: 'drop' } as const
  const { got, answer } = await redriven([clear], mask)
  const [masked = Buffer.alloc(0)] = got
  assert.equal(answer.redriven, 1)
  assert.ok(masked?.includes(pseudonym('new', key)) && !masked.includes('never asked for'))
  assert.deepEqual((await redriven([masked], mask)).got, [masked])
})

test('a letter that cannot be masked stays in the queue, and the answer says why', async () => {
  const clear = write.insert('shop.orders', 7, t0).value ?? Buffer.alloc(0)
  const { answer, got, left } = await redriven([clear], { emial: 'hash' })
  assert.deepEqual([got, left, answer.redriven], [[], 1, 0])
  assert.match(answer.error ?? '', /cannot be masked for orders: .*no column emial/)
})

test('a letter from before a column was added is sent if the mask lets the column be absent, and masked otherwise', async () => {
  const clear = write.insert('shop.orders', 7, t0).value ?? Buffer.alloc(0)
  const mask = { status: 'hash', phone: 'drop-if-present', email: 'hash-if-present' } as const
  const { answer, got, left } = await redriven([clear], mask)
  assert.deepEqual([answer.error, answer.redriven, left], [null, 1, 0])
  assert.ok(got[0]?.includes(pseudonym('new', key)))
})
