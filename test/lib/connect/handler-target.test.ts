import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { localAws } from '../../../infra/local/dynalite.ts'
import { handlerClient } from '../../../lib/connect/handler-client.ts'
import { type Received, record, useEnvironment } from './support.ts'

const payload = Buffer.from('{}')

function open(t: TestContext) {
  const client = handlerClient(1_000)
  t.after(() => client.destroy())
  return client
}

/** The access key and the region that signed a request. */
function signerOf({ headers }: Received): string | undefined {
  return /Credential=(\w+)\/\d{8}\/([a-z0-9-]+\/\w+)/
    .exec(headers.authorization ?? '')
    ?.slice(1)
    .join(' ')
}

/** The time in a request's signature, in milliseconds. */
function signedAt({ headers }: Received): number {
  return Date.parse(String(headers['x-amz-date']).replace(/^(....)(..)(..T..)(..)/, '$1-$2-$3:$4:'))
}

describe('the requests to table functions', () => {
  test('follow the endpoint, the region and the credentials of a profile', async (t) => {
    const { origin, received } = await record(t, (response) => response.end('null'))
    const folder = mkdtempSync(join(tmpdir(), 'dts-functions-profile-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'config')
    writeFileSync(
      file,
      `[profile shop]
region = eu-west-3
services = local
aws_access_key_id = OFTHEPROFILE
aws_secret_access_key = s
[services local]
lambda =
  endpoint_url = ${origin}
`,
    )
    useEnvironment(t, {
      AWS_PROFILE: 'shop',
      AWS_CONFIG_FILE: file,
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'),
    })
    await open(t).invoke('orders', payload)
    assert.deepEqual(received.map(signerOf), ['OFTHEPROFILE eu-west-3/lambda'])
  })

  test('use the credentials of the container, and renew them before they expire', async (t) => {
    let given = 0
    const source = await record(t, (response) => {
      given += 1
      const Expiration = new Date(Date.now() + (given === 1 ? 60_000 : 3_600_000)).toISOString()
      const keys = { AccessKeyId: `KEY${given}`, SecretAccessKey: 's', Token: `token-${given}`, Expiration }
      response.setHeader('content-type', 'application/json').end(JSON.stringify(keys))
    })
    const { origin, received } = await record(t, (response) => response.end('null'))
    useEnvironment(t, {
      AWS_REGION: 'eu-central-1',
      AWS_ENDPOINT_URL_LAMBDA: origin,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${source.origin}/credentials`,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    })
    const client = open(t)
    while (received.length < 10 && received.every((one) => signerOf(one)?.startsWith('KEY1')))
      await client.invoke('orders', payload)
    await client.invoke('orders', payload)
    const [first, last] = [received[0], received.at(-1)]
    assert.ok(first !== undefined && last !== undefined)
    assert.equal(signerOf(first), 'KEY1 eu-central-1/lambda')
    assert.equal(first.headers['x-amz-security-token'], 'token-1')
    assert.equal(signerOf(last), 'KEY2 eu-central-1/lambda')
    assert.equal(last.headers['x-amz-security-token'], 'token-2')
    assert.equal(given, 2)
  })

  test('are signed with AWS’s time after a refusal if this machine’s clock is wrong', async (t) => {
    const ahead = Date.now() + 3_600_000
    const { origin, received } = await record(
      t,
      (response) => {
        response.writeHead(403, {
          'x-amzn-ErrorType': 'InvalidSignatureException',
          date: new Date(ahead).toUTCString(),
        })
        response.end('{"message":"Signature not yet current"}')
      },
      (response) => response.end('null'),
    )
    useEnvironment(t, { ...localAws, AWS_ENDPOINT_URL_LAMBDA: origin })
    const client = open(t)
    await assert.rejects(client.invoke('orders', payload), { name: 'InvalidSignatureException' })
    await client.invoke('orders', payload)
    const [first = 0, second = 0] = received.map(signedAt)
    const differenceMs = second - first
    assert.ok(differenceMs > 3_500_000 && differenceMs < 3_700_000, `${differenceMs}`)
  })

  test('are signed with this machine’s time after a refusal that names no time, for example of a proxy', async (t) => {
    const { origin, received } = await record(
      t,
      (response) => {
        response.sendDate = false
        response.writeHead(502).end('bad gateway')
      },
      (response) => response.end('null'),
    )
    useEnvironment(t, { ...localAws, AWS_ENDPOINT_URL_LAMBDA: origin })
    const client = open(t)
    await assert.rejects(client.invoke('orders', payload), { name: 'Unknown' })
    await client.invoke('orders', payload)
    const [first = 0, second = 0] = received.map(signedAt)
    const differenceMs = second - first
    assert.ok(differenceMs >= 0 && differenceMs < 100_000, `${differenceMs}`)
  })

  test('begin as soon as they can, if a region was missing at first', async (t) => {
    const { origin, received } = await record(t, (response) => response.end('null'))
    const { AWS_REGION, ...keys } = localAws
    useEnvironment(t, {
      ...keys,
      AWS_ENDPOINT_URL_LAMBDA: origin,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    })
    const client = open(t)
    await assert.rejects(client.invoke('orders', payload), /Region is missing/)
    assert.equal(received.length, 0)
    process.env.AWS_REGION = AWS_REGION
    await client.invoke('orders', payload)
    assert.equal(received.length, 1)
  })
})
