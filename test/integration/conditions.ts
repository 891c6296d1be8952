import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { encodeRecord, integer, text } from '../../infra/local/encode.ts'
import type { DoctorResult, Inspection } from '../../lib/recovery/examine/inspect.ts'
import { until } from '../rig/context.ts'
import { recommended } from '../support/recommended.ts'
import { alive, now, t0, Writer } from '../support/records.ts'
import type { Start, World } from '../support/world.ts'
import { failingStream } from './failing-stream.ts'
import { waitingLetters } from './letters.ts'

/** Inspect and doctor on a stream whose set-up works. They never report it as healthy while something waits for a person. */
export function conditionTests(start: Start): void {
  describe('the condition of the stream', () => {
    interface Seen {
      readonly line: (name: string) => [result: string | undefined, detail: string]
      readonly healthy: boolean
      readonly inspection: Inspection
    }
    async function look(world: World, environment: Readonly<Record<string, string>> = {}): Promise<Seen> {
      const { checks, healthy } = (await world.recover({ action: 'doctor' }, environment)) as DoctorResult
      const line = (name: string): [string | undefined, string] => {
        const found = checks.find((check) => check.name === name)
        return [found?.result, found?.detail ?? '']
      }
      return { line, healthy, inspection: await world.inspect(environment) }
    }

    const isPlain = (world: World) => 'DTS_GROUP' in world.source.environment

    /** A healthy stream: every change was handled, and the newest record is a heartbeat of now. */
    async function wellStream(t: TestContext, environment: Readonly<Record<string, string>> = {}) {
      const world = await start(t)
      await world.source.append([...new Writer().inserts('shop.orders', 0, 9), alive()])
      await world.poll({ environment })
      return world
    }

    test('a healthy stream has a young newest record, and inspect has nothing to recommend', async (t) => {
      const world = await wellStream(t)
      const { line, healthy, inspection } = await look(world)
      assert.equal(healthy, true)
      assert.deepEqual(line('delivery'), ['ok', 'at the end of the log'])
      assert.match(line('news from DTS')[1], /^the newest record is \d+ s old/)
      assert.match(inspection.advice, /every line of the examination is ok: nothing to do/)
      assert.equal(recommended(inspection), null)
    })

    test('a run, doctor and inspect report that DTS has stopped although there is no lag; a plain topic may be idle', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      // The next run reads no record and knows nothing of the run before.
      const { lagSeconds, silentSeconds, fetched } = await world.poll()
      assert.deepEqual([lagSeconds, fetched], [0, 0])
      const { line, healthy, inspection } = await look(world)
      assert.ok((inspection.silentSeconds ?? 0) >= now() - t0 - 60)
      if (isPlain(world)) {
        assert.equal(silentSeconds, null)
        assert.deepEqual([healthy, line('news from DTS')[0]], [true, 'ok'])
        assert.match(line('news from DTS')[1], / s old; a plain topic may be idle$/)
        assert.match(inspection.advice, /nothing to do/)
        return
      }
      assert.ok((silentSeconds ?? 0) >= now() - t0 - 60)
      assert.deepEqual([healthy, line('news from DTS')[0]], [false, 'failed'])
      assert.match(
        line('news from DTS')[1],
        /^SOURCE_SILENT: .*the task has stopped \(paused, expired, released\)/,
      )
      assert.match(inspection.advice, /Not all checks passed\. News from DTS: SOURCE_SILENT: /)
      // Days later every record has expired.
      await world.source.trim(10n)
      assert.ok(((await world.poll()).silentSeconds ?? 0) >= now() - t0 - 60)
      await world.source.append([alive()])
      assert.equal((await look(world)).line('news from DTS')[0], 'ok')
      assert.ok(((await world.poll()).silentSeconds ?? 99) < 60)
    })

    test('waiting dead letters make the stream unhealthy, and inspect recommends a redrive', async (t) => {
      const world = await wellStream(t)
      const { line, healthy, inspection } = await look(world, await waitingLetters(t, 9))
      assert.equal(healthy, false)
      assert.equal(line('dead-letter queue')[0], 'attention')
      assert.match(
        line('dead-letter queue')[1],
        /^about 9 changes are waiting\. See why they failed, correct the handler and deploy, then redrive them/,
      )
      assert.match(
        inspection.advice,
        /Position and log agree\. Dead-letter queue: about 9 changes are waiting/,
      )
      assert.doesNotMatch(inspection.advice, /nothing to do/)
      assert.deepEqual(
        inspection.next.map((step) => recommended({ next: [step] })),
        [{ action: 'redrive', dryRun: true }, { action: 'redrive' }],
      )
      const none = await look(world, await waitingLetters(t, 0))
      assert.deepEqual([none.healthy, none.line('dead-letter queue')[1]], [true, '0 waiting'])
    })

    test('a late stream is unhealthy even if nothing fails, and doctor reports the lag and a reason', async (t) => {
      const world = await start(t)
      const write = new Writer()
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.poll()
      await world.source.append([...write.inserts('shop.orders', 10, 19), alive()])
      const { line, healthy, inspection } = await look(world)
      assert.equal(healthy, false)
      assert.equal(line('delivery')[0], 'attention')
      assert.match(line('delivery')[1], /^\d+ s and 11 records behind\. No run is at work now\. /)
      assert.match(inspection.advice, /Position and log agree\. Delivery: \d+ s and 11 records behind/)
      assert.doesNotMatch(inspection.advice, /nothing to do/)
    })

    test('a paused stream is unhealthy: doctor says since when, and inspect recommends a resume', async (t) => {
      const world = await wellStream(t)
      await world.recover({ action: 'pause', by: 'me', reason: 'a migration' })
      const { line, healthy, inspection } = await look(world)
      assert.equal(healthy, false)
      assert.equal(line('delivery')[0], 'attention')
      assert.match(line('delivery')[1], /^halted since \S+ \(PAUSED\)$/)
      assert.match(inspection.advice, /^Paused by me: a migration\. .*Resume when the stream may continue/)
      assert.deepEqual(recommended(inspection), { action: 'resume' })
    })

    test('inspect and doctor name the route of a function that fails in one lane', async (t) => {
      const ROUTES = JSON.stringify({ 'shop.orders': { function: 'orders', attempts: 77, concurrency: 4 } })
      const { world } = await failingStream(start, t, { ROUTES })
      const { line, inspection } = await look(world, { ROUTES })
      assert.match(Object.keys(inspection.stored?.lanes ?? {}).join(), /test-orders#\d\/4/)
      assert.match(inspection.advice, /test-orders fails at offset 5 since \S+: \d+ of 77 attempts failed/)
      assert.doesNotMatch(inspection.advice, /no route/)
      assert.equal(line('delivery')[0], 'attention')
      assert.match(line('delivery')[1], /test-orders#\d\/4\/v\d+: offset 5 failed \d+ time\(s\) since /)
    })

    test('if a change is too large for an invocation, inspect recommends to skip it, because a resume would halt again', async (t) => {
      const ROUTES = JSON.stringify({ 'shop.orders': { function: 'orders', onFailure: 'halt' } })
      const environment = { ROUTES }
      const world = await start(t)
      const write = new Writer()
      const value = encodeRecord({
        operation: 'INSERT',
        objectName: 'shop.orders',
        fields: [
          ['id', 8],
          ['status', 253],
        ],
        after: [integer(10), text('x'.repeat(4_400_000))],
        sourceTimestamp: t0 + 10,
      })
      await world.source.append(write.inserts('shop.orders', 0, 9))
      await world.source.append([{ value, timestamp: t0 + 10 }])
      await world.source.append([...write.inserts('shop.orders', 11, 12), alive()])
      await assert.rejects(world.poll({ environment }), { code: 'EVENT_TOO_LARGE' })
      const resumed = await world.recover({ action: 'resume' }, environment)
      assert.match(
        'note' in resumed ? resumed.note : '',
        /While the cause of the halt \(EVENT_TOO_LARGE\) lasts, it halts again/,
      )
      await assert.rejects(world.poll({ environment }), { code: 'EVENT_TOO_LARGE' })
      const inspection = await world.inspect(environment)
      assert.match(inspection.advice, /A resume halts the stream at offset 10 again/)
      const event = recommended(inspection)
      assert.deepEqual(event, { action: 'reset', to: { offset: '11' }, acceptLoss: true })
      await world.recover(event, environment)
      await world.pollToEnd({ environment })
      assert.deepEqual(world.ids('orders'), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12])
    })

    test('a log that begins after the time of the position leaves a reserve of zero seconds, not a negative one', async (t) => {
      const world = await start(t)
      await world.source.append(new Writer().inserts('shop.orders', 0, 9))
      await world.poll()
      await world.source.append([new Writer('later').insert('shop.orders', 10, t0 + 1_000), alive()])
      await world.source.trim(10n)
      let refusals = 0
      world.onChange = () => {
        refusals += 1
        throw new Error('not today')
      }
      const { secondsUntilLoss } = await world.poll({ remainingMs: until(() => refusals > 0) })
      assert.equal(secondsUntilLoss, 0)
    })

    test('control characters in a table name are escaped in every message of poller and recovery', async (t) => {
      const world = await start(t)
      await world.source.append([
        new Writer().insert('shop.\u001b[2J\u009b31m\nok\u202e\u007f', 1, t0),
        alive(),
      ])
      const environment = { UNROUTED_TABLES: 'halt' }
      await assert.rejects(world.poll({ environment }), (error: Error) => {
        assert.match(error.message, /the table shop\.\\u001b\[2J\\u009b31m/)
        return error.name === 'TABLE_UNROUTED'
      })
      const inspection = await world.inspect(environment)
      assert.match(String(inspection.stored?.halt?.facts.table), /^shop\.\\u001b\[2J\\u009b31m\\u000aok/)
      for (const answer of [inspection, await world.recover({ action: 'doctor' }, environment)])
        assert.doesNotMatch(JSON.stringify(answer), /[\p{Cc}\p{Cf}]/u)
    })

    test('a halt for expired records says that they are lost, and does not say that nothing is lost', async (t) => {
      const world = await wellStream(t)
      await world.source.append([...new Writer('later').inserts('shop.orders', 10, 49), alive()])
      await world.source.trim(40n)
      await assert.rejects(world.poll(), (error: Error) => {
        assert.match(
          error.message,
          /offset 11 to 39 are no longer in the data range, which begins at 40: those .* are lost to this stream/,
        )
        assert.doesNotMatch(error.message, /nothing is lost/)
        return true
      })
    })
  })
}
