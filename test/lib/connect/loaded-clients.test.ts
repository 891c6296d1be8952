import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { localAws } from '../../../infra/local/dynalite.ts'

const file = (path: string) => JSON.stringify(fileURLToPath(new URL(`../../../${path}`, import.meta.url)))

/** The AWS clients that a process has loaded after each of some statements. */
function clientsAfter(...statements: readonly string[]): string[][] {
  const program = `
    import { createRequire } from 'node:module'
    const files = createRequire(import.meta.url).cache
    const loaded = []
    const look = () => {
      const clients = Object.keys(files).flatMap((path) => /@aws-sdk.client-([a-z0-9-]+)/.exec(path)?.[1] ?? [])
      loaded.push([...new Set(clients)].sort())
    }
    ${statements.join('\nlook()\n')}
    look()
    console.log(JSON.stringify(loaded))`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    // Nothing listens there: a request fails at once.
    env: { ...process.env, ...localAws, AWS_ENDPOINT_URL: 'http://127.0.0.1:9' },
  })
  return JSON.parse(output) as string[][]
}

const usual = ['dynamodb', 'lambda', 'secrets-manager']

for (const name of ['poller', 'recovery']) {
  test(`a ${name} that has just started has loaded only the AWS clients that its bundle contains`, () => {
    assert.deepEqual(clientsAfter(`await import(${file(`functions/${name}.ts`)})`), [usual])
  })
}

test('the client of SSM is loaded with its first request', () => {
  const [unused, parameter] = clientsAfter(
    `const { streamOpener } = await import(${file('lib/connect/clients.ts')})`,
    `await streamOpener({ user: 'u', password: { parameter: '/s' } }).open().catch(() => {})`,
  )
  assert.deepEqual(unused, usual)
  assert.deepEqual(parameter, [...usual, 'ssm'])
})
