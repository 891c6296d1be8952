import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { accountProblems, type Deployment } from '../../infra/account-check.ts'

/** An account, as far as a deployment asks about it. moto answers neither limits nor a part of a large stack. */
interface Account {
  readonly limit: number
  readonly secrets: readonly string[]
  /** Types of the SSM parameters, by name or ARN. */
  readonly parameters: Readonly<Record<string, string>>
  readonly hasTable: boolean
  /** Logical ids of the stack's resources. */
  readonly stack: readonly string[]
}

/** Answers the requests of a check in the forms of the services. */
async function startAccount(t: TestContext, account: Account): Promise<Deployment['aws']> {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    const { status, text } = answerOf(account, String(request.headers['x-amz-target'] ?? request.url), body)
    response.writeHead(status)
    response.end(text)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  return { region: 'eu-west-1', endpoint: `http://127.0.0.1:${port}`, credentials, maxAttempts: 1 }
}

function answerOf({ limit, secrets, parameters, hasTable, stack }: Account, target: string, body: string) {
  const found = (value: object) => ({ status: 200, text: JSON.stringify(value) })
  const missing = {
    status: 400,
    text: JSON.stringify({ __type: 'ResourceNotFoundException', message: 'no' }),
  }
  if (target.endsWith('DescribeSecret')) {
    return secrets.includes((JSON.parse(body) as { SecretId: string }).SecretId) ? found({}) : missing
  }
  if (target.endsWith('DescribeParameters')) {
    const { ParameterFilters } = JSON.parse(body) as { ParameterFilters: { Values: string[] }[] }
    const names = ParameterFilters[0]?.Values ?? []
    return found({
      Parameters: names.filter((name) => name in parameters).map((name) => ({ Type: parameters[name] })),
    })
  }
  if (target.endsWith('GetParameter')) {
    const { Name, WithDecryption } = JSON.parse(body) as { Name: string; WithDecryption?: boolean }
    assert.equal(WithDecryption, undefined)
    if (Name.endsWith('/forbidden'))
      return { status: 400, text: JSON.stringify({ __type: 'AccessDeniedException' }) }
    if (Name in parameters) return found({ Parameter: { Type: parameters[Name] } })
    return { status: 400, text: JSON.stringify({ __type: 'ParameterNotFound' }) }
  }
  if (target.endsWith('DescribeTable')) return hasTable ? found({ Table: {} }) : missing
  if (target.includes('account-settings')) return found({ AccountLimit: { ConcurrentExecutions: limit } })
  const asked = new URLSearchParams(body).get('LogicalResourceId')
  // CloudFormation lists only 100 resources if none is named.
  const listed = asked === null ? stack.slice(0, 100) : stack.filter((id) => id === asked)
  const members = listed.map((id) => `<member><LogicalResourceId>${id}</LogicalResourceId></member>`).join('')
  const result = `<DescribeStackResourcesResult><StackResources>${members}</StackResources></DescribeStackResourcesResult>`
  return { status: 200, text: `<DescribeStackResourcesResponse>${result}</DescribeStackResourcesResponse>` }
}

const arn = 'arn:aws:ssm:eu-west-1:111122223333:parameter'
const healthy: Account = {
  limit: 1_000,
  secrets: ['shop/dts', 'crm/dts'],
  parameters: { '/erp/dts': 'SecureString', [`${arn}/shared/dts`]: 'SecureString' },
  hasTable: false,
  stack: [],
}

async function problems(t: TestContext, account: Partial<Account>, more: Partial<Deployment> = {}) {
  return await accountProblems({
    aws: await startAccount(t, { ...healthy, ...account }),
    passwords: [
      { store: 'secret', id: 'shop/dts', kind: 'password', setting: 'DTS_PASSWORD_SECRET' },
      { store: 'secret', id: 'crm/dts', kind: 'password', setting: 'custom.sources.crm.secret' },
      { store: 'parameter', id: '/erp/dts', kind: 'password', setting: 'custom.sources.erp.parameter' },
      {
        store: 'parameter',
        id: `${arn}/shared/dts`,
        kind: 'password',
        setting: 'custom.sources.hr.parameter',
      },
    ],
    reservedConcurrency: 2,
    stackName: 'shop-prod',
    checkpointTable: 'shop-prod-checkpoint',
    ...more,
  })
}

test('an account that has all of it has no fault', async (t) => {
  assert.deepEqual(await problems(t, {}), [])
})

test('every missing secret is reported at once, with the setting that names it', async (t) => {
  const [one = '', other = '', ...more] = await problems(t, { secrets: [] })
  assert.match(one, /^The secret shop\/dts \(DTS_PASSWORD_SECRET\) does not exist in eu-west-1/)
  assert.match(other, /^The secret crm\/dts \(custom\.sources\.crm\.secret\) does not exist in eu-west-1/)
  assert.deepEqual(more, [])
})

test('every missing SSM parameter is reported, by name and by ARN, with the command that stores the password', async (t) => {
  const [one = '', other = '', ...more] = await problems(t, { parameters: {} })
  assert.match(
    one,
    /^The parameter \/erp\/dts \(custom\.sources\.erp\.parameter\) does not exist in eu-west-1\. .*--type SecureString --name \/erp\/dts/,
  )
  assert.match(other, /^The parameter arn:.*\/shared\/dts \(custom\.sources\.hr\.parameter\) does not exist/)
  assert.deepEqual(more, [])
})

test('a parameter that keeps the password in plain text is a fault', async (t) => {
  const [fault = '', ...more] = await problems(t, {
    parameters: { ...healthy.parameters, '/erp/dts': 'String' },
  })
  assert.match(
    fault,
    /^The parameter \/erp\/dts .* has the type String, which keeps the password in plain text/,
  )
  assert.deepEqual(more, [])
})

test('a parameter that the deploying user may not look at is no fault', async (t) => {
  const passwords = [
    { store: 'parameter', id: `${arn}/forbidden`, kind: 'password', setting: 'DTS_PASSWORD_PARAMETER' },
  ] as const
  assert.deepEqual(await problems(t, {}, { passwords }), [])
})

test('the reservations of all pollers together must leave 10 to the other functions', async (t) => {
  assert.deepEqual(await problems(t, { limit: 12 }), [])
  const [fault = ''] = await problems(t, { limit: 11 })
  assert.match(
    fault,
    /may run 11 functions at once in eu-west-1, and Lambda refuses the pollers' reservation of 2/,
  )
  assert.deepEqual(await problems(t, { limit: 10 }, { reservedConcurrency: 0 }), [])
})

test('a table that the stack owns is no fault, however many resources the stack has', async (t) => {
  const stack = [...Array.from({ length: 150 }, (_, at) => `Other${at}`), 'CheckpointTable']
  assert.deepEqual(await problems(t, { hasTable: true, stack }), [])
})

test('a table that outlived its stack is a fault', async (t) => {
  const [fault = ''] = await problems(t, { hasTable: true })
  assert.match(fault, /^The table shop-prod-checkpoint exists, and the stack shop-prod does not have it/)
})

test('a missing key of masks is reported with the command that stores a key', async (t) => {
  const passwords = [
    { store: 'secret', id: 'shop/masks', kind: 'key', setting: 'MASK_KEY_SECRET' },
    { store: 'parameter', id: '/shop/masks', kind: 'key', setting: 'MASK_KEY_PARAMETER' },
  ] as const
  const [secret = '', parameter = ''] = await problems(t, {}, { passwords })
  assert.match(secret, /\(MASK_KEY_SECRET\) does not exist .*Store the key there first: .*file:\/\/key\.txt$/)
  assert.match(
    parameter,
    /\(MASK_KEY_PARAMETER\) does not exist .*Store the key there first: .*file:\/\/key\.txt$/,
  )
})
