import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { freePort } from '../../../../infra/local/ports.ts'
import { DtsError, type ErrorCode } from '../../../../lib/errors.ts'
import { CheckList } from '../../../../lib/recovery/examine/checks.ts'
import { checkConnection } from '../../../../lib/recovery/examine/connect.ts'
import { startStore } from '../../../support/open-stream.ts'
import { unknownHost } from './support.ts'

const skipped = 'not examined, because a check before it failed'
const names = ['DNS', 'TCP to the broker address', 'credentials', 'topic', 'TCP to the node']

describe('the examination of the way to the broker', () => {
  async function examine(t: Parameters<typeof startStore>[0], change: object = {}, config: object = {}) {
    const { store, connect } = await startStore(t)
    const list = new CheckList()
    const stream = await checkConnection(
      {
        config: { broker: store.advertised, topic: 'shop', user: 'me', ...config },
        openStream: connect,
        passwordNote: () => null,
        ...change,
      },
      list,
    )
    assert.deepEqual(
      list.checks.map(({ name }) => name),
      names,
    )
    return {
      store,
      stream,
      checks: list.checks,
      lines: list.checks.map(({ result, detail }) => [result, detail]),
    }
  }

  test('names the address, the user, the topic, and the cluster that answers, and returns the open stream', async (t) => {
    const { store, stream, lines, checks } = await examine(t)
    const { host, port } = store.advertised
    assert.deepEqual(lines, [
      ['ok', `${host} is ${host}`],
      ['ok', `${host}:${port} accepts connections`],
      ['ok', 'me is accepted'],
      ['ok', 'shop is there'],
      ['ok', `cluster ${store.clusterId}, partition 0`],
    ])
    assert.deepEqual(
      checks.map(({ next }) => next),
      names.map(() => []),
    )
    assert.equal((await stream?.range())?.end, 0n)
  })

  test('leaves no connection open but that of the stream', async (t) => {
    const { store, stream } = await examine(t)
    await stream?.close()
    await store.disconnected()
    assert.equal(store.connections, 0)
  })

  test('says if no credentials are set, and if the stored password was corrected', async (t) => {
    const without = await examine(t, {}, { user: undefined })
    assert.deepEqual(without.lines[2], ['ok', 'none are set, and the broker asks for none'])
    const noted = await examine(t, { passwordNote: () => 'DTS_PASSWORD has a line break at the end' })
    assert.deepEqual(noted.lines[2], ['ok', 'me is accepted. DTS_PASSWORD has a line break at the end'])
  })

  const faults: [code: ErrorCode, step: number][] = [
    ['AUTHENTICATION_FAILED', 2],
    ['SECRET_UNAVAILABLE', 2],
    ['TOPIC_UNKNOWN', 3],
    ['PARTITION_UNKNOWN', 3],
    ['NODE_NOT_ALLOWED', 4],
    ['NODE_UNREACHABLE', 4],
  ]
  for (const [code, step] of faults) {
    test(`shows ${code} at the line "${names[step]}", passes the lines before it, and skips those after it`, async (t) => {
      const next = [{ action: 'pause' }] as const
      const openStream = async () => {
        throw new DtsError(code, 'why', { retryable: false, next })
      }
      const { stream, checks } = await examine(t, { openStream })
      assert.equal(stream, undefined)
      assert.deepEqual(
        checks.map(({ result }) => result),
        names.map((_, index) => (index < step ? 'ok' : index === step ? 'failed' : 'skipped')),
      )
      const failed = checks[step]
      assert.deepEqual([failed?.detail, failed?.next], [`${code}: why`, next])
      for (const { result, detail, next: steps } of checks)
        if (result === 'skipped') assert.deepEqual([detail, steps], [skipped, []])
    })
  }

  test('shows an error without a code at the credentials', async (t) => {
    const { checks } = await examine(t, { openStream: () => Promise.reject(new TypeError('odd')) })
    assert.deepEqual(
      [checks[2]?.result, checks[2]?.detail, checks[2]?.next],
      ['failed', 'TypeError: odd', []],
    )
  })

  const opensNothing = { openStream: () => assert.fail('nothing is opened') }

  test('ends at a name that cannot be resolved', async (t) => {
    const broker = { host: unknownHost, port: 1 }
    const { stream, lines } = await examine(t, opensNothing, { broker })
    assert.equal(stream, undefined)
    const [dns, ...others] = lines
    assert.equal(dns?.[0], 'failed')
    assert.match(
      dns?.[1] ?? '',
      /^BROKER_UNREACHABLE: The name x{64}\.invalid cannot be resolved \(.*E[A-Z_]+.*\)\. Correct DTS_BROKER_URL/,
    )
    assert.deepEqual(
      others,
      others.map(() => ['skipped', skipped]),
    )
  })

  test('ends at an address that refuses connections', async (t) => {
    const broker = { host: '127.0.0.1', port: await freePort() }
    const { stream, lines } = await examine(t, opensNothing, { broker })
    assert.equal(stream, undefined)
    assert.equal(lines[0]?.[0], 'ok')
    assert.match(
      lines[1]?.[1] ?? '',
      new RegExp(
        `^BROKER_UNREACHABLE: 127\\.0\\.0\\.1:${broker.port} does not accept a connection \\(connect ECONNREFUSED .*Check DTS_BROKER_URL, .* DTS's own white list\\.$`,
      ),
    )
    assert.deepEqual(
      lines.slice(2),
      names.slice(2).map(() => ['skipped', skipped]),
    )
  })
})
