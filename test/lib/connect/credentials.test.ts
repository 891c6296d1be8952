import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { DStore } from '../../../infra/local/dstore/dstore.ts'
import { connections } from '../../../lib/connect/clients.ts'
import { CredentialSource } from '../../../lib/connect/credentials.ts'
import { DtsError } from '../../../lib/errors.ts'
import { startSecretsServer } from '../../rig/secrets-server.ts'
import { testConfig } from '../../support/test-config.ts'

function noStore(): never {
  assert.fail('AWS was asked')
}

async function source(t: TestContext, text?: string | null) {
  const server = await startSecretsServer()
  t.after(() => server.stop())
  if (text !== undefined) server.secrets.set('dts', text)
  const client = new SecretsManagerClient({
    endpoint: server.endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
    maxAttempts: 1,
  })
  const read = async (secretId: string) =>
    (await client.send(new GetSecretValueCommand({ SecretId: secretId }))).SecretString
  const config = { user: 'reader-sid', password: { secretId: 'dts' } }
  return { server, credentials: new CredentialSource(config, { secret: read, parameter: noStore }) }
}

describe('the password', () => {
  const readable: [text: string, password: string, reason: string][] = [
    ['p4ss', 'p4ss', 'plain'],
    [' p{4}ss ', ' p{4}ss ', 'plain, kept to the last space'],
    ['{"password":"p4ss"}', 'p4ss', 'JSON'],
    ['\n{"username":"u","password":"{x}","engine":"dts"}', '{x}', 'JSON from the console'],
  ]
  for (const [text, password, reason] of readable) {
    test(reason, async (t) => {
      const { server, credentials } = await source(t, text)
      assert.deepEqual(await credentials.get(), { username: 'reader-sid', password })
      await credentials.get()
      assert.equal(server.reads, 1)
    })
  }

  const cured: [text: string, password: string, reason: string][] = [
    ['p4ss\n', 'p4ss', 'plain text with a line break'],
    ['p4ss \r\n\n', 'p4ss ', 'plain text with line breaks of Windows, and a space before them that is kept'],
    ['\ufeffp4ss', 'p4ss', 'plain text with a byte order mark'],
    ['{"password":"p4ss\\n"}', 'p4ss', 'JSON with a line break in it'],
  ]
  for (const [text, password, reason] of cured) {
    test(`${reason}: the password is used without it, and a note says so`, async (t) => {
      const { credentials } = await source(t, text)
      assert.equal(credentials.note, null)
      assert.equal((await credentials.get())?.password, password)
      assert.match(credentials.note ?? '', /^The secret dts has a line break .* store it again without it\.$/)
      assert.doesNotMatch(credentials.note ?? '', /p4ss/)
    })
  }

  test('without a fault has no note, also after the fault was corrected', async (t) => {
    const { server, credentials } = await source(t, '{"password":"p4ss"}\n')
    await credentials.get()
    assert.equal(credentials.note, null)
    server.secrets.set('dts', 'other\n')
    assert.equal(await credentials.renew(), true)
    assert.notEqual(credentials.note, null)
    server.secrets.set('dts', 'third')
    await credentials.renew()
    assert.equal(credentials.note, null)
  })

  const unreadable: [text: string | null | undefined, message: RegExp, reason: string][] = [
    [
      undefined,
      /does not exist in this account and region \(ResourceNotFoundException\): .* or correct DTS_PASSWORD_SECRET/,
      'no such secret',
    ],
    [null, /is binary: store the password as text/, 'a binary secret'],
    ['\n', /holds an empty password/, 'only a line break'],
    ['{"user":"canary"}', /is JSON without "password" \(in lower case\)/, 'JSON without a password'],
    ['{"Password":"canary"}', /is JSON without "password" \(in lower case\)/, 'JSON with another spelling'],
    ['{"password":""}', /holds an empty password/, 'an empty password'],
    ['{"password":12345678}', /has a number as "password".*put it in quotes/, 'a password that is a number'],
    ['{"password":null}', /has null as "password", and no text/, 'a password that is null'],
    ['{"password":true}', /has a value of type boolean as "password"/, 'a password that is a boolean'],
    ['{"password":["canary"]}', /has a value of type object as "password"/, 'a password that is a list'],
    [
      '{canary',
      /begins with "\{" and is no JSON: correct the JSON, or, if that is the password itself, store it as \{"password"/,
      'text that begins like JSON',
    ],
    ['{"password":"canary"', /begins with "\{" and is no JSON/, 'JSON that is cut off'],
  ]
  for (const [text, message, reason] of unreadable) {
    test(`cannot be read: ${reason}`, async (t) => {
      const { credentials } = await source(t, text)
      await assert.rejects(credentials.get(), (error) => {
        assert.ok(error instanceof DtsError)
        assert.equal(error.code, 'SECRET_UNAVAILABLE')
        assert.match(error.message, message)
        assert.match(error.message, /^The secret dts /)
        assert.doesNotMatch(
          `${error.stack} ${JSON.stringify(error.facts)} ${String(error.cause)}`,
          /canary|12345678/,
        )
        return true
      })
    })
  }

  test('a parameter is read as a secret is, and its faults name the parameter and its variable', async () => {
    let text = '{"password":"p4ss"}\n'
    let fault: unknown
    const parameter = async (name: string) => {
      assert.equal(name, '/prod/dts')
      if (fault !== undefined) throw fault
      return text
    }
    const read = () =>
      new CredentialSource(
        { user: 'reader-sid', password: { parameter: '/prod/dts' } },
        { secret: noStore, parameter },
      ).get()
    assert.deepEqual(await read(), { username: 'reader-sid', password: 'p4ss' })
    const refused = (message: RegExp) => assert.rejects(read(), { code: 'SECRET_UNAVAILABLE', message })
    text = '\n'
    await refused(/^The parameter \/prod\/dts holds an empty password/)
    fault = Object.assign(new Error('no'), { name: 'ParameterNotFound', $metadata: { httpStatusCode: 400 } })
    await refused(
      /^The parameter \/prod\/dts does not exist in this account and region .* or correct DTS_PASSWORD_PARAMETER\.$/,
    )
    fault = Object.assign(new Error('no'), {
      name: 'AccessDeniedException',
      $metadata: { httpStatusCode: 400 },
    })
    await refused(
      /cannot be read \(AccessDeniedException\)\. SSM answered and refused, .* a right is missing/,
    )
    fault = Object.assign(new Error('no'), { name: 'TimeoutError' })
    await refused(/cannot be read \(TimeoutError\)\. SSM did not answer, .* the interface endpoint "ssm"/)
    fault = Object.assign(new Error('no'), {
      name: 'ThrottlingException',
      $metadata: { httpStatusCode: 400 },
    })
    await refused(/Check DTS_PASSWORD_PARAMETER and that this function's role may read it/)
  })

  test('a secret that could not be read is read again by the next run', async (t) => {
    const { server, credentials } = await source(t)
    await assert.rejects(credentials.get(), { code: 'SECRET_UNAVAILABLE' })
    server.secrets.set('dts', 'p4ss')
    assert.equal((await credentials.get())?.password, 'p4ss')
  })

  test('in the environment: no secret is read, and a renewal changes nothing', async () => {
    const none = { secret: noStore, parameter: noStore }
    const given = new CredentialSource({ user: 'u', password: { value: 'p' } }, none)
    assert.deepEqual(await given.get(), { username: 'u', password: 'p' })
    assert.equal(await given.renew(), false)
    const broken = new CredentialSource({ user: 'u', password: { value: 'p\r\n' } }, none)
    assert.equal((await broken.get())?.password, 'p')
    assert.match(broken.note ?? '', /^DTS_PASSWORD has a line break/)
    const empty = new CredentialSource({ user: 'u', password: { value: '\n' } }, none)
    await assert.rejects(empty.get(), { code: 'CONFIG_INVALID' })
    const open = new CredentialSource({ user: undefined, password: undefined }, none)
    assert.equal(await open.get(), null)
    assert.equal(await open.renew(), false)
  })
})

describe('after a rotation', () => {
  async function rotated(t: TestContext, store: 'secret' | 'parameter') {
    const server = await startSecretsServer()
    const dstore = new DStore()
    const { host, port } = await dstore.start()
    t.after(() => Promise.all([server.stop(), dstore.stop()]))
    const own = {
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'x',
      AWS_SECRET_ACCESS_KEY: 'x',
      AWS_ENDPOINT_URL_SECRETS_MANAGER: server.endpoint,
      AWS_ENDPOINT_URL_SSM: server.endpoint,
    }
    Object.assign(process.env, own)
    const config = testConfig({
      ROUTES: '{}',
      DTS_BROKER_URL: `${host}:${port}`,
      DTS_TOPIC: dstore.topic,
      DTS_SID: dstore.sid ?? '',
      DTS_USER: dstore.user,
      [store === 'secret' ? 'DTS_PASSWORD_SECRET' : 'DTS_PASSWORD_PARAMETER']: '/prod/dts',
      CHECKPOINT_TABLE: 'unused',
    })
    const stored = store === 'secret' ? server.secrets : server.parameters
    const change = (password: string) => stored.set('/prod/dts', password)
    change('before the rotation')
    return { server, dstore, change, openStream: connections(config).openStream }
  }

  for (const store of ['secret', 'parameter'] as const) {
    test(`of a ${store}, a refused password is read again once, and the new password works`, async (t) => {
      const { server, dstore, change, openStream } = await rotated(t, store)
      await assert.rejects(openStream(), { code: 'AUTHENTICATION_FAILED' })
      const refused = dstore.counters.credentialsRefused
      assert.ok(refused > 0)
      change(dstore.password)
      const stream = await openStream()
      await stream.close()
      assert.equal(dstore.counters.credentialsRefused, refused + 1)
      assert.equal(server.reads, 3)
      // The new password is kept.
      await (await openStream()).close()
      assert.equal(server.reads, 3)
    })

    test(`of a ${store}, an unchanged password is not tried twice, because DTS may lock the user`, async (t) => {
      const { server, dstore, openStream } = await rotated(t, store)
      await assert.rejects(openStream(), { code: 'AUTHENTICATION_FAILED' })
      assert.deepEqual([server.reads, dstore.counters.credentialsRefused], [2, 1])
    })
  }
})
