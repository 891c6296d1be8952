import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeRecord, integer, text } from '../../../../infra/local/encode.ts'
import type { DeadLetter } from '../../../../lib/dispatch/dead-letter.ts'
import type { DeadLetterSource, Received } from '../../../../lib/dispatch/dead-letter-source.ts'
import { lettersSchema, listLetters } from '../../../../lib/recovery/resend/letters.ts'
import { printableValue } from '../../../../lib/text/printable.ts'
import { route } from '../../../support/dispatch.ts'
import { t0 } from '../../../support/records.ts'

function letterOf(offset: number, note: string): Received {
  const value = encodeRecord({
    operation: 'INSERT',
    objectName: 'shop.orders',
    sourceTimestamp: t0,
    fields: [
      ['id', 8],
      ['note', 253],
    ],
    after: [integer(offset), text(note)],
  })
  const letter: DeadLetter = {
    version: 1,
    functionName: 'orders',
    table: 'shop.orders',
    topic: 'cn_shop',
    partition: 0,
    clusterId: 'c1',
    generation: 1,
    offset: String(offset),
    attempts: 1,
    at: '2026-11-28T00:00:00Z',
    error: { code: 'HANDLER_FAILED', message: 'no' },
    raw: value.toString('base64'),
    event: null,
  }
  return { letter, messageId: `m${offset}` } as Received
}

const notes: [what: string, note: string][] = [
  ['of three bytes each', '語'.repeat(18_000)],
  ['that a terminal obeys', '\u200b'.repeat(9_000)],
]
for (const [what, note] of notes) {
  test(`a hundred letters with long texts of characters ${what} fit into an answer of Lambda`, async () => {
    const items = Array.from({ length: 100 }, (_, offset) => letterOf(offset, offset === 0 ? 'short' : note))
    const deadLetters = {
      receive: async () => ({ items, others: [] }),
      giveBack: async () => {},
      count: async () => items.length,
    } satisfies Partial<DeadLetterSource>
    const answer = await listLetters(lettersSchema.parse({ action: 'letters', max: 100 }), {
      deadLetters: deadLetters as Partial<DeadLetterSource> as DeadLetterSource,
      routes: { 'shop.orders': route('orders') },
    })
    const size = Buffer.byteLength(JSON.stringify(printableValue(answer)))
    assert.ok(size < 3_000_000, String(size))
    assert.deepEqual(
      [answer.letters.length, answer.letters[0]?.change?.after?.note, answer.letters[1]?.change],
      [100, 'short', null],
    )
  })
}
