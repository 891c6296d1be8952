import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { DStore } from '../../../../infra/local/dstore/dstore.ts'
import { mirrorCall } from '../../../../infra/local/mirror/arguments.ts'
import { beginMirror, runMirror } from '../../../../infra/local/mirror/mirror.ts'
import type { LocalRecord } from '../../../../infra/local/shop.ts'
import { Shop } from '../../../../infra/local/shop.ts'
import { UsageError } from '../../../../infra/operate/report.ts'
import type { Place } from '../../../../infra/operate/tail/arguments.ts'
import { readerConfig } from '../../../../lib/config.ts'
import { streamOpener } from '../../../../lib/connect/clients.ts'
import { LogRecords } from '../../../../lib/kafka/records.ts'
import type { Stream } from '../../../../lib/kafka/stream.ts'

const now = 1_790_000_000

describe('the local copy of a stream', () => {
  let source: DStore
  let open: ReturnType<typeof streamOpener>['open']
  let copied: LocalRecord[]
  let notes: string[]
  before(async () => {
    source = new DStore({ firstOffset: 40n })
    const { host, port } = await source.start()
    open = streamOpener(
      readerConfig({
        DTS_BROKER_URL: `${host}:${port}`,
        DTS_TOPIC: source.topic,
        DTS_SID: source.sid ?? '',
        DTS_USER: source.user,
        DTS_PASSWORD: source.password,
      }),
    ).open
    const shop = new Shop()
    for (let second = 0; second < 20; second++) {
      await source.append([shop.heartbeat(now + second), ...shop.transaction(now + second)])
      await source.filler(2)
    }
    // Large enough that its memory is freed at once, and no record of DTS.
    await source.append([{ value: Buffer.alloc(300_000, 'x'), timestamp: now + 19 }])
  })
  beforeEach(() => {
    copied = []
    notes = []
  })
  after(() => source.stop())

  /** Copies until the condition holds, which is asked after each append. */
  async function copy(from: Place, isEnough: () => boolean, waiting = () => 0n, opened = open) {
    const ending = new AbortController()
    const beginning = await beginMirror(opened, from, now + 500)
    const target = {
      append: async (records: readonly LocalRecord[]) => {
        copied.push(...records)
        if (isEnough()) ending.abort()
      },
      waiting,
      note: (text: string) => void notes.push(text),
    }
    await runMirror(beginning, target, { open: opened, wait: async () => {}, signal: ending.signal })
    return beginning
  }

  const bytes = (records: readonly { readonly value: Buffer | null }[]) =>
    records.map(({ value }) => value?.toString('base64') ?? null)

  test('has every record of the source, byte for byte, at an offset that counts as the source does', async () => {
    const { offset, time } = await copy({ kind: 'earliest' }, () => copied.length >= source.records.length)
    assert.deepEqual(bytes(copied), bytes(source.records))
    assert.deepEqual([offset, time], [40n, now])
  })

  test('has the source times, also for fillers, and the tables of row changes', async () => {
    await copy({ kind: 'earliest' }, () => copied.length >= source.records.length)
    assert.deepEqual(
      copied.map(({ timestamp }) => timestamp),
      source.records.map(({ timestamp }) => timestamp),
    )
    const tables = new Set(copied.flatMap(({ table }) => table ?? []))
    assert.ok(tables.has('shop.orders') && tables.size <= 4)
  })

  test('begins at a time, or at the end with what comes from now on', async () => {
    const { time, offset } = await copy({ kind: 'time', seconds: now + 10 }, () => true)
    assert.equal(time, now + 10)
    assert.equal(source.records.find((one) => one.offset === offset)?.timestamp, now + 10)
    copied = []
    const { end } = source.range
    const beginning = await beginMirror(open, { kind: 'latest' }, now + 500)
    assert.deepEqual([beginning.offset, beginning.time], [end, now + 500])
    await beginning.stream.close()
  })

  test('leaves no trace at the source: no commit, and no request of a consumer group', async () => {
    const { commits } = source.counters
    await copy({ kind: 'earliest' }, () => copied.length >= source.records.length)
    assert.equal(source.counters.commits, commits)
    for (const name of ['JoinGroup', 'OffsetCommit', 'OffsetFetch'] as const)
      assert.equal(Reflect.get(source.requests, name) ?? 0, 0, name)
  })

  test('connects again when the connection breaks, and loses and repeats nothing', async () => {
    let isDropped = false
    const waiting = () => {
      if (!isDropped) source.dropConnections()
      isDropped = true
      return 0n
    }
    await copy({ kind: 'earliest' }, () => copied.length >= source.records.length, waiting)
    assert.deepEqual(bytes(copied), bytes(source.records))
    assert.match(notes[0] ?? '', /Connecting again\.$/)
  })

  test('keeps the offsets of the source where the log has gaps, such as the markers of transactions', async () => {
    const isThere = (offset: bigint) => offset % 5n !== 0n
    const withGaps = async (): Promise<Stream> => {
      const stream = await open()
      const { topic, partition, clusterId } = stream
      return {
        topic,
        partition,
        clusterId,
        range: () => stream.range(),
        offsetForTime: (seconds) => stream.offsetForTime(seconds),
        committed: () => assert.fail('not asked for'),
        commit: () => assert.fail('not asked for'),
        close: () => stream.close(),
        async fetch(from, bounds) {
          const fetched = await stream.fetch(from, bounds)
          const records = [...fetched.records].filter(({ offset }) => isThere(offset))
          return { ...fetched, records: LogRecords.of(records) }
        },
      }
    }
    await copy({ kind: 'earliest' }, () => copied.length >= source.records.length, undefined, withGaps)
    const expected = source.records.map(({ offset, value }) => ({ value: isThere(offset) ? value : null }))
    assert.deepEqual(bytes(copied), bytes(expected))
  })

  test('does not read on while the local functions have much to do', async () => {
    const before: number[] = []
    const waiting = () => (before.push(copied.length) < 5 ? 1_000_000n : 0n)
    await copy({ kind: 'earliest' }, () => true, waiting)
    assert.deepEqual(before, [0, 0, 0, 0, 0])
    assert.ok(copied.length > 0)
  })

  test('ends with CLUSTER_CHANGED when the source moves', async () => {
    const waiting = () => {
      source.setClusterId('another-cluster-of-the-same')
      source.dropConnections()
      return 0n
    }
    await assert.rejects(
      copy({ kind: 'earliest' }, () => false, waiting),
      {
        code: 'CLUSTER_CHANGED',
        message:
          /^Cluster changed from \S+ to another-cluster-of-the-same, consumer require restart\..*npm start -- --dts again/s,
      },
    )
  })
})

test('the flags choose stream and place as those of tail do, and new changes are the usual beginning', () => {
  const { from, variables } = mirrorCall(['--broker-url', 'a:1', 'dts.sid=s', '--from', 'offset:7'])
  assert.deepEqual(from, { kind: 'offset', offset: 7n })
  assert.deepEqual(variables, { DTS_BROKER_URL: 'a:1', DTS_SID: 's' })
  assert.deepEqual(mirrorCall([]).from, { kind: 'latest' })
  assert.deepEqual([mirrorCall([]).pagePort, mirrorCall(['--page-port', '8080']).pagePort], [0, 8080])
  for (const port of ['0', '65536', 'x', '1e3'])
    assert.throws(() => mirrorCall(['--page-port', port]), {
      message: `--page-port needs a port from 1 to 65535, not "${port}".`,
    })
  assert.throws(() => mirrorCall(['--where', 'x = 1']), UsageError)
})
