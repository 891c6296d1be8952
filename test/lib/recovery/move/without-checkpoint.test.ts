import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DtsError } from '../../../../lib/errors.ts'
import { groupPosition, writeMark } from '../../../../lib/kafka/commit-mark.ts'
import type { Stream } from '../../../../lib/kafka/stream.ts'
import { reset, resetSchema } from '../../../../lib/recovery/move/reset.ts'
import type { Target } from '../../../../lib/recovery/move/target.ts'
import { open } from '../../../support/open-stream.ts'
import { filler, t0, Writer } from '../../../support/records.ts'
import { like, moveTo, patient, self } from '../../../support/streams.ts'
import { CheckpointTable } from '../../checkpoint/support.ts'

interface Committed {
  readonly offset: bigint
  readonly metadata: string | null
}

/** The time of recovery's clock, in seconds. */
const clock = t0 + 1_000

describe('without a checkpoint, a move depends on the consumer group', () => {
  /**
   * The move in a log of twenty changes, one a second from offset 3 on.
   * @param given the group's answer, or what makes it from the id of the cluster
   */
  async function move(
    t: Parameters<typeof open>[0],
    given: Committed | null | DtsError | ((clusterId: string) => Committed),
    to: Target,
  ) {
    const { stream } = await open(t, [...filler(t0), ...new Writer().inserts('shop.orders', 0, 19)])
    const committed = typeof given === 'function' ? given(stream.clusterId) : given
    const log = like(stream, {
      committed: async () => {
        if (committed instanceof DtsError) throw committed
        return committed && groupPosition(committed.offset, committed.metadata, self)
      },
    })
    const moved = await moveTo(to, null, log, { ...patient, now: () => clock * 1000 })
    assert.equal(moved.repeats.countedTo, null)
    const { source, lost, replayUntil } = moved
    return { source, lost, until: replayUntil, counts: { ...moved.repeats.counts } }
  }
  const until = clock + 10
  const ours = (offset: bigint, seconds: number) => ({ offset, metadata: `${seconds}|dts-functions` })

  test('if the group has our own commit from this log, its offset counts', async (t) => {
    const commit = ours(13n, t0 + 9)
    const lost = { from: t0 - 1, to: t0 + 20 }
    const cases: [to: Target, lost: typeof lost | null, repeats: number][] = [
      [{ offset: 14n }, { ...lost, to: t0 + 21 }, 9],
      [{ offset: 13n }, null, 10],
      ['earliest', null, 20],
    ]
    for (const [to, expected, repeats] of cases)
      assert.deepEqual(await move(t, commit, to), {
        source: 'group',
        lost: expected,
        until,
        counts: { 'shop.orders': repeats },
      })
  })

  test('if DTS carried our commit over from another cluster, only its time counts', async (t) => {
    // DTS moves a commit to the first record of its time. The other offsets belong to another cluster.
    for (const offset of [15n, 4n, 900n]) {
      const commit = ours(offset, t0 + 12)
      const { lost } = await move(t, commit, { offset: 6n })
      assert.deepEqual(lost, { from: t0 + 2, to: t0 + 22 }, `${offset}`)
      assert.equal((await move(t, commit, { timestamp: t0 + 2 })).lost, null, `${offset}`)
    }
  })

  test('a commit that was made on another cluster is none of this log, also where the log has reached its time', async (t) => {
    const made = (clusterId: string) => ({
      offset: 13n,
      metadata: writeMark(self, t0 + 9, { generation: 7, offset: 13n, clusterId }),
    })
    const here = await move(t, made, { offset: 13n })
    assert.equal(here.lost, null)
    const elsewhere = await move(t, made('another'), { offset: 13n })
    assert.deepEqual(elsewhere.lost, { from: t0 - 1, to: t0 + 20 })
  })

  test('if our commit is younger than the log, the changes that are still to come may be lost', async (t) => {
    const { lost } = await move(t, ours(900n, t0 + 100), 'earliest')
    assert.deepEqual(lost, { from: t0 + 90, to: t0 + 110 })
  })

  test('if the group has no commit of a deployment, the stream was never read', async (t) => {
    for (const committed of [null, { offset: 13n, metadata: String(t0) }, { offset: 13n, metadata: null }])
      assert.deepEqual(await move(t, committed, 'latest'), {
        source: 'nothing',
        lost: null,
        until: null,
        counts: {},
      })
  })

  test('a commit that names this deployment counts like one of an older version', async (t) => {
    const named = writeMark(self, t0 + 9, { generation: 7, offset: 13n })
    assert.deepEqual(await move(t, { offset: 13n, metadata: named }, { offset: 13n }), {
      source: 'group',
      lost: null,
      until,
      counts: { 'shop.orders': 10 },
    })
  })

  test('a commit of another deployment shows nothing about this stream, and a reset to it is refused', async (t) => {
    const metadata = writeMark({ ...self, stage: 'dev' }, t0 + 9, { generation: 7, offset: 13n })
    const found = await move(t, { offset: 13n, metadata }, { offset: 13n })
    assert.deepEqual([found.source, found.lost, found.until], ['other', null, until])
    await assert.rejects(move(t, { offset: 13n, metadata }, 'committed'), {
      code: 'GROUP_SHARED',
      message: /stage "dev".*nothing was done/,
    })
  })

  test('if the group refuses the question, or its commit has no time, everything is marked as replay', async (t) => {
    const refused = new DtsError('GROUP_REFUSED', 'no', { retryable: false })
    for (const committed of [refused, { offset: 13n, metadata: 'soon|dts-functions' }])
      assert.deepEqual(await move(t, committed, { offset: 13n }), {
        source: 'unasked',
        lost: null,
        until,
        counts: { 'shop.orders': 10 },
      })
  })

  const checkpoints = new CheckpointTable()
  const dependenciesOf = (log: Stream) => ({
    store: checkpoints.fresh(),
    openStream: async () => log,
    now: () => clock * 1000,
    remainingMs: () => 300_000,
    owner: 'me',
  })

  test('the new generation is above that of the group’s commit, whichever deployment made it', async (t) => {
    const { stream } = await open(t, [...filler(t0), ...new Writer().inserts('shop.orders', 0, 19)])
    // The clock of the one that committed was ahead.
    const place = { generation: clock + 500, offset: 13n }
    for (const by of [self, { ...self, stage: 'dev' }, { ...self, table: 'us-east-1/elsewhere' }]) {
      const metadata = writeMark(by, t0 + 9, place)
      const log = like(stream, { committed: async () => groupPosition(13n, metadata, self) })
      const dependencies = dependenciesOf(log)
      const event = resetSchema.parse({ action: 'reset', to: { offset: '13' } })
      const dry = await reset({ ...event, dryRun: true }, dependencies, log)
      await reset(event, dependencies, log)
      const made = await dependencies.store.read()
      assert.deepEqual([dry.to.generation, made?.generation], [place.generation + 1, place.generation + 1])
    }
  })

  test('answer and ledger say that earlier progress is unknown', async (t) => {
    const { stream } = await open(t, new Writer().inserts('shop.orders', 0, 19))
    const log = like(stream, {
      committed: async () => {
        throw new DtsError('GROUP_REFUSED', 'no', { retryable: false })
      },
    })
    const dependencies = dependenciesOf(log)
    const dry = await reset(
      resetSchema.parse({ action: 'reset', to: 'latest', dryRun: true }),
      dependencies,
      log,
    )
    assert.match(dry.note, /Whether changes are lost is not known\. There is no checkpoint/)
    await reset(resetSchema.parse({ action: 'reset', token: dry.token }), dependencies, log)
    const made = await dependencies.store.read()
    assert.equal(made?.ledger[0]?.how, 'reset by latest: what was read before is not known')
    assert.equal(made.replayUntil, until)
  })

  test('if the answer of the group is only late, the reset fails with the retryable error', async (t) => {
    const late = new DtsError('BROKER_FAILED', 'timed out', { retryable: true })
    await assert.rejects(move(t, late, 'earliest'), late)
  })
})
