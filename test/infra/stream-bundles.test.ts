import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type BuildOptions, build, type Metafile } from 'esbuild'
import { DStore } from '../../infra/local/dstore/dstore.ts'
import { startSooner, streamBundles } from '../../infra/stream-bundles.ts'
import { bundleOptions } from '../support/bundle.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'dts-functions-streams-'))
/** Of the process that the bundle runs in. It has nothing but what a test gives it. */
const home = join(folder, 'home')
let bundle = ''
const sooner = { name: 'sooner', setup: startSooner }

/** One request to DynamoDB, and one to Lambda. */
const requests = `
  import { connections } from ${JSON.stringify(join(root, 'lib/connect/clients.ts'))}
  import { handlerClient } from ${JSON.stringify(join(root, 'lib/connect/handler-client.ts'))}
  await connections({ source: '', topic: 't', checkpointTable: 'c' }).store.read()
  const lambda = handlerClient(1000)
  await lambda.invoke('f', Buffer.from('{}'))
  lambda.destroy()
`

async function bundleOf(entry: string, options: BuildOptions): Promise<Metafile> {
  const { metafile } = await build({
    ...bundleOptions,
    absWorkingDir: root,
    entryPoints: [entry],
    ...options,
    metafile: true,
  })
  return metafile
}

/** @returns the file of a bundle with this source */
async function bundled(name: string, source: string): Promise<string> {
  const [entry, outfile] = [join(folder, `${name}.ts`), join(folder, `${name}.mjs`)]
  writeFileSync(entry, source)
  await bundleOf(entry, { outfile, plugins: [sooner] })
  return outfile
}

const answers: Record<string, () => [type: string, body: string]> = {
  // DynamoDB: no item.
  'POST /': () => ['application/x-amz-json-1.0', '{}'],
  'POST /2015-03-31/functions/f/invocations': () => ['application/json', '{}'],
  'GET /container': () => ['application/json', JSON.stringify(keys('CONTAINER'))],
  'PUT /latest/api/token': () => ['text/plain', 'token'],
  'GET /latest/meta-data/iam/security-credentials/': () => ['text/plain', 'role'],
  'GET /latest/meta-data/iam/security-credentials/role': () => [
    'application/json',
    JSON.stringify({ Code: 'Success', ...keys('INSTANCE') }),
  ],
  'GET /federation/credentials': () => [
    'application/json',
    JSON.stringify({
      roleCredentials: {
        accessKeyId: 'SSO',
        secretAccessKey: 's',
        sessionToken: 't',
        expiration: Date.now() + 3_600_000,
      },
    }),
  ],
}

function keys(id: string) {
  return { AccessKeyId: id, SecretAccessKey: 's', Token: 't', Expiration: '2199-01-01T00:00:00Z' }
}

/** STS's answer to the action in the body of a request. */
function assumedRole(action: string): [type: string, body: string] {
  const id = action === 'AssumeRole' ? 'ROLE' : 'WEBIDENTITY'
  return [
    'text/xml',
    `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>
      <Credentials><AccessKeyId>${id}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
        <Expiration>2199-01-01T00:00:00Z</Expiration></Credentials>
    </${action}Result></${action}Response>`,
  ]
}

/** The key ids that signed requests to DynamoDB and Lambda. */
let signedBy: string[] = []
const server = createServer((request, response) => void answer(request, response))

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  const [, action] = /\bAction=(\w+)/.exec(body) ?? []
  const known = `${request.method} ${request.url?.split('?')[0]}`
  const found = action === undefined ? answers[known]?.() : assumedRole(action)
  const [, id] = /Credential=(\w+)\//.exec(request.headers.authorization ?? '') ?? []
  if (action === undefined && request.method === 'POST') signedBy.push(String(id))
  const [type, text] = found ?? ['text/plain', `nothing at ${known}`]
  response.writeHead(found === undefined ? 404 : 200, { 'content-type': type }).end(text)
}

before(async () => {
  mkdirSync(join(home, '.aws/sso/cache'), { recursive: true })
  // Lambda's runtime has the SDK beside the function.
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  bundle = await bundled('requests', requests)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
after(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

const session = 'work'
const files: Readonly<Record<string, string>> = {
  '.aws/credentials': '[stored]\naws_access_key_id = STORED\naws_secret_access_key = s\n',
  '.aws/config': [
    '[profile printed]',
    `credential_process = echo '{"Version": 1, "AccessKeyId": "PRINTED", "SecretAccessKey": "s"}'`,
    '[profile assumed]',
    'role_arn = arn:aws:iam::123456789012:role/r',
    'source_profile = stored',
    '[profile signed-in]',
    `sso_session = ${session}`,
    'sso_account_id = 123456789012',
    'sso_role_name = r',
    `[sso-session ${session}]`,
    'sso_region = eu-central-1',
    'sso_start_url = https://work.example',
  ].join('\n'),
  [`.aws/sso/cache/${createHash('sha1').update(session).digest('hex')}.json`]: JSON.stringify({
    accessToken: 'token',
    expiresAt: '2199-01-01T00:00:00Z',
  }),
  'web-identity': 'token',
}

const sources: readonly (readonly [source: string, id: string, environment: (url: string) => object])[] = [
  [
    'the environment, as in Lambda',
    'ENVIRONMENT',
    () => ({ AWS_ACCESS_KEY_ID: 'ENVIRONMENT', AWS_SECRET_ACCESS_KEY: 's' }),
  ],
  ['a profile', 'STORED', () => ({ AWS_PROFILE: 'stored' })],
  ['a program', 'PRINTED', () => ({ AWS_PROFILE: 'printed' })],
  ['a role', 'ROLE', () => ({ AWS_PROFILE: 'assumed' })],
  ['a single sign-on', 'SSO', () => ({ AWS_PROFILE: 'signed-in' })],
  [
    'a web identity',
    'WEBIDENTITY',
    () => ({
      AWS_WEB_IDENTITY_TOKEN_FILE: join(home, 'web-identity'),
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/r',
    }),
  ],
  ['a container', 'CONTAINER', (url) => ({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/container` })],
  ['an instance', 'INSTANCE', (url) => ({ AWS_EC2_METADATA_SERVICE_ENDPOINT: url })],
]
for (const [source, id, environment] of sources) {
  test(`the clients in a bundle take credentials from ${source}`, async () => {
    for (const [path, text] of Object.entries(files)) writeFileSync(join(home, path), text)
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    signedBy = []
    await promisify(execFile)(process.execPath, [bundle], {
      env: {
        PATH: process.env.PATH,
        HOME: home,
        AWS_REGION: 'eu-central-1',
        AWS_ENDPOINT_URL: url,
        ...environment(url),
      },
      timeout: 60_000,
    })
    assert.deepEqual(signedBy, [id, id])
  })
}

test('a handler setting with a dot in front names the same function, and a table may be called poller', async () => {
  const hasClient = async (entry: string, absWorkingDir = root) => {
    const { inputs } = await bundleOf(entry, { absWorkingDir, write: false, plugins: [streamBundles] })
    return Object.keys(inputs).some((path) => path.includes('@aws-sdk/client-dynamodb/'))
  }
  assert.equal(await hasClient('./functions/recovery.ts'), true)
  const tables = join(folder, 'functions/tables')
  mkdirSync(tables, { recursive: true })
  writeFileSync(join(tables, 'poller.ts'), requests)
  assert.equal(await hasClient('functions/tables/poller.ts', folder), false)
})

test('the bundles can send each request to the broker that a run needs', async (t) => {
  const store = new DStore({ firstOffset: 50n })
  const broker = await store.start()
  t.after(() => store.stop())
  await store.append(
    Array.from({ length: 10 }, (_, at) => ({ value: Buffer.alloc(10, at), timestamp: 1_000 + at })),
  )
  const config = {
    broker,
    topic: store.topic,
    partition: undefined,
    mode: 'dts',
    group: store.sid ?? '',
    tls: false,
    allowedNodes: [],
    deployment: { service: 'shop', stage: 'prod', table: 'checkpoints' },
  }
  const credentials = { username: store.userName, password: store.password }
  const reading = await bundled(
    'reading',
    `import { openStream } from ${JSON.stringify(join(root, 'lib/kafka/open-stream.ts'))}
    const stream = await openStream(${JSON.stringify(config)}, ${JSON.stringify(credentials)})
    const { earliest, end } = await stream.range()
    const found = await stream.offsetForTime(1007)
    const { records } = await stream.fetch(earliest, { maxBytes: 1 << 20, maxWaitMs: 0 })
    await stream.commit(found, 1007, 3)
    const committed = await stream.committed()
    await stream.close()
    console.log([earliest, end, found, records.length, committed.offset].join())`,
  )
  const { stdout } = await promisify(execFile)(process.execPath, [reading], { timeout: 60_000 })
  assert.equal(stdout, '50,60,57,10,57\n')
})

test("a service's own import() is bundled, and a package named like a module of Node is not replaced by one", async () => {
  const own = join(folder, 'node_modules_of_service/node_modules/sqlite')
  mkdirSync(own, { recursive: true })
  writeFileSync(join(own, 'index.js'), 'export const mine = true')
  const entry = join(own, '../../poller.ts')
  writeFileSync(
    entry,
    `import { mine } from 'sqlite'
    import { DatabaseSync } from 'node:sqlite'
    console.log(mine, typeof DatabaseSync, await import('@aws-sdk/util-dynamodb'))`,
  )
  const { inputs } = await bundleOf(entry, {
    write: false,
    plugins: [sooner],
    nodePaths: [join(root, 'node_modules')],
  })
  const paths = Object.keys(inputs)
  assert.ok(paths.some((path) => path.endsWith('node_modules/sqlite/index.js')))
  assert.ok(paths.includes('builtin:node:sqlite'))
  assert.ok(paths.some((path) => path.includes('@aws-sdk/util-dynamodb/')))
})
