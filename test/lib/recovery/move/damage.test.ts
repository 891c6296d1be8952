import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { freshPosition } from '../../../../lib/checkpoint/types.ts'
import { reset, resetSchema } from '../../../../lib/recovery/move/reset.ts'
import { open } from '../../../support/open-stream.ts'
import { t0, Writer } from '../../../support/records.ts'
import { damagedAt } from '../../../support/streams.ts'
import { CheckpointTable, now } from '../../checkpoint/support.ts'

describe('a reset of a stream that halted before a damaged batch', () => {
  const checkpoints = new CheckpointTable()

  for (const code of ['BATCH_CORRUPT', 'BATCH_TOO_LARGE'] as const) {
    /** Twenty changes, of which five to nine are damaged, and a checkpoint at five. */
    async function halted(t: Parameters<typeof open>[0], replayUntil: number | null) {
      const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 19))
      const log = damagedAt(stream, 5n, 9n, code)
      const store = checkpoints.fresh()
      const start = {
        clusterId: log.clusterId,
        position: freshPosition(5n, t0 + 4),
        replayUntil,
        entry: { at: now, by: 'me', how: 'start' },
      }
      await store.release(await store.create(start, 'me', now))
      const dependencies = {
        store,
        openStream: async () => log,
        now: () => now,
        remainingMs: () => 300_000,
        owner: 'me',
      }
      return {
        store,
        reset: (event: object) => reset(resetSchema.parse({ action: 'reset', ...event }), dependencies, log),
      }
    }

    test(`${code}: goes to the place after it, with a dry run and its token`, async (t) => {
      const stream = await halted(t, -1)
      await assert.rejects(stream.reset({ to: { offset: '10' } }), { code: 'DATA_GAP' })
      const dry = await stream.reset({ to: { offset: '10' }, acceptLoss: true, dryRun: true })
      const done = await stream.reset({ token: dry.token })
      assert.deepEqual([done.to.offset, done.lost], ['10', dry.lost])
      assert.notEqual(done.lost, null)
      const made = await stream.store.read()
      assert.deepEqual([made?.offset, made?.tail?.offset], [10n, 4n])
      assert.match(made?.ledger.at(-1)?.how ?? '', /^reset by offset: lost /)
    })

    test(`${code}: goes to the stored offset or before it, although repeats after it cannot be counted`, async (t) => {
      const stream = await halted(t, t0 + 30)
      const stays = await stream.reset({ dryRun: true })
      assert.deepEqual([stays.how, { ...stays.repeats }, stays.countedTo], ['stored', {}, '5'])
      assert.match(stays.note, /counted up to offset 5, and more may repeat from there on/)
      assert.equal((await stream.reset({ token: stays.token })).to.offset, '5')
      const back = await stream.reset({ to: { offset: '2' } })
      assert.deepEqual([{ ...back.repeats }, back.countedTo], [{ 'shop.orders': 3 }, '5'])
    })
  }
})
