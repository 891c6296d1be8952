import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { loginName, runConsole } from '../../../../infra/operate/console/run-console.ts'

const start = { program: 'npm run console --', assets: async () => null }

const mistakes: [argv: string, message: RegExp][] = [
  ['prod', /The console takes no prod\./],
  ['--json', /--json/],
  ['--port 70000', /--port takes a port/],
  ['--port x', /--port takes a port/],
  ['--partition one', /--partition takes the number of a partition/],
]
for (const [argv, message] of mistakes) {
  test(`console ${argv} is refused with the usage text, before anything is invoked`, async (t) => {
    const said = t.mock.method(console, 'error', () => {})
    assert.equal(await runConsole(argv.split(' '), start), 2)
    const text = String(said.mock.calls[0]?.arguments)
    assert.match(text, message)
    assert.match(text, /a page for a deployed stream/)
  })
}

test('a user without a name is asked for --by', () => {
  const read = () => {
    throw new Error('ENOENT: no such file or directory, uv_os_get_passwd')
  }
  assert.throws(() => loginName(read), { name: 'Error', message: /no name for your login: .*--by NAME/ })
  assert.equal(
    loginName(() => ({ username: 'ada' })),
    'ada',
  )
})

test('a port that another program has is named', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const { port } = other.address() as { port: number }
  const said = t.mock.method(console, 'error', () => {})
  const argv = ['--port', String(port), '--region', 'eu-central-1']
  assert.equal(await runConsole(argv, start), 2)
  assert.match(
    String(said.mock.calls[0]?.arguments),
    new RegExp(`port ${port} of 127.0.0.1 \\(EADDRINUSE\\)`),
  )
})
