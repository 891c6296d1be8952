import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { type Address, type DStore, kafka011Ceilings } from '../../infra/local/dstore/dstore.ts'
import { numbered, startDStore } from '../support/dstore-clients.ts'

async function kcat(store: DStore, { host, port }: Address, args: readonly string[], input = '') {
  const login = {
    'security.protocol': 'SASL_PLAINTEXT',
    'sasl.mechanism': 'PLAIN',
    'sasl.username': store.userName,
    'sasl.password': store.password,
  }
  const settings = Object.entries(login).flatMap(([name, value]) => ['-X', `${name}=${value}`])
  const child = spawn('kcat', ['-b', `${host}:${port}`, ...settings, ...args])
  child.stdin.end(input)
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const [code, stdout, stderr] = await Promise.all([exit, text(child.stdout), text(child.stderr)])
  return { code, stdout, stderr }
}

for (const [age, options] of [
  ['Kafka 2.x', {}],
  ['Kafka 0.11', { versionCeilings: kafka011Ceilings }],
] as const) {
  describe(`kcat against the emulated DStore, protocol of ${age}`, () => {
    test('lists the node, reads every record, and looks a time up in seconds', async (t) => {
      const { store, address } = await startDStore(t, { ...options, proxy: true, firstOffset: 900n })
      await store.append(numbered(1200))
      await store.append(numbered(600, 1200), { compression: 'gzip' })
      const listed = await kcat(store, address, ['-L'])
      assert.equal(listed.code, 0, listed.stderr)
      assert.ok(listed.stdout.includes(`broker 0 at ${store.advertised.host}:${store.advertised.port}`))
      assert.ok(listed.stdout.includes(`topic "${store.topic}" with 1 partitions`))

      const read = await kcat(store, address, [
        ...['-C', '-q', '-t', store.topic, '-p', '0', '-o', 'beginning', '-e'],
        ...['-X', 'check.crcs=true', '-X', 'fetch.message.max.bytes=15000', '-f', '%o %T %s\n'],
      ])
      assert.equal(read.code, 0, read.stderr)
      assert.deepEqual(
        read.stdout.trimEnd().split('\n'),
        store.records.map((r) => `${r.offset} ${r.timestamp * 1000} ${r.value}`),
      )
      assert.ok(store.counters.truncatedFetches > 0)

      const found = await kcat(store, address, ['-Q', '-t', `${store.topic}:0:1060`])
      assert.equal(found.stdout.trim(), `${store.topic} [0] offset 1500`)
    })

    test('produces, and reads a filtered log after a cluster change', async (t) => {
      const { store, address } = await startDStore(t, options)
      for (const codec of ['none', 'gzip']) {
        const args = ['-P', '-t', store.topic, '-p', '0', '-z', codec]
        const produced = await kcat(store, address, args, 'one\ntwo\nthree\n')
        assert.equal(produced.code, 0, produced.stderr)
      }
      await store.switchCluster({ firstOffset: 70n, keep: ({ value }) => String(value) !== 'two' })
      const args = ['-C', '-q', '-t', store.topic, '-p', '0', '-o', 'beginning', '-e', '-f', '%o %s\n']
      const read = await kcat(store, address, [...args, '-X', 'check.crcs=true'])
      assert.equal(read.stdout, '70 one\n71 three\n72 one\n73 three\n')
    })
  })
}

test('kcat is refused with a wrong password', async (t) => {
  const { store, address } = await startDStore(t)
  store.refuseCredentials(true)
  const { code, stderr } = await kcat(store, address, ['-L', '-m', '2'])
  assert.notEqual(code, 0)
  assert.match(stderr, /SASL authentication error: .*password/)
  assert.ok(store.counters.credentialsRefused > 0)
})
