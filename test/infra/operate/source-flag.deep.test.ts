import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { DStore } from '../../../infra/local/dstore/dstore.ts'
import { localAws } from '../../../infra/local/dynalite.ts'
import { freePort } from '../../../infra/local/ports.ts'
import { Writer } from '../../support/records.ts'
import { runNode } from '../../support/run-node.ts'
import { copyService, type ServiceCopy } from '../../support/service-copy.ts'

/** Its table is that of a handler of the stream without a name, too. */
const handler = `import { z } from 'zod'
import { defineTable } from '../../../lib/handler/define-table.ts'
export const handler = defineTable({ table: 'shop.orders', row: z.looseObject({}), onChange() {} })
`

describe('a command with --source', () => {
  let service: ServiceCopy
  let store: DStore
  let environment: Record<string, string>

  before(async () => {
    service = copyService()
    store = new DStore()
    const { host, port } = await store.start()
    const writer = new Writer()
    await store.append([...writer.inserts('shop.parcels', 1, 3), ...writer.inserts('shop.orders', 1, 1)])
    const crm = {
      address: `\${env:CRM_ADDRESS}`,
      topic: store.topic,
      sid: store.sid,
      user: store.user,
      secret: 'crm/dts',
    }
    service.configure('  tables: {}', `  tables: {}\n  sources: ${JSON.stringify({ crm })}`)
    mkdirSync(join(service.folder, 'functions/tables/crm'))
    writeFileSync(join(service.folder, 'functions/tables/crm/orders.ts'), handler)
    environment = {
      ...localAws,
      CRM_ADDRESS: `${host}:${port}`,
      // The stream without a name. Nothing listens there.
      DTS_BROKER_URL: `127.0.0.1:${await freePort()}`,
      DTS_TOPIC: 'other',
      DTS_SID: 'other',
      DTS_USER: 'other',
      DTS_PASSWORD_SECRET: 'other',
    }
  })
  after(async () => {
    service.remove()
    await store.stop()
  })

  const run = (program: string, ...flags: string[]) =>
    runNode(service.folder, [`infra/operate/${program}.ts`, ...flags], environment)

  test('names the sources that exist if recovery has no function for that one', async (t) => {
    const lambda = createServer((_, response) => {
      response.writeHead(404, { 'x-amzn-errortype': 'ResourceNotFoundException' }).end('{}')
    })
    lambda.listen(0, '127.0.0.1')
    await once(lambda, 'listening')
    t.after(() => lambda.close())
    const { port } = lambda.address() as AddressInfo
    environment.AWS_ENDPOINT_URL_LAMBDA = `http://127.0.0.1:${port}`
    const { code, stderr } = await run('recovery', 'inspect', '--source', 'crn')
    assert.equal(code, 1)
    assert.match(stderr, /^dts-functions-dev-recovery-crn could not be invoked \(ResourceNotFoundException/m)
    assert.match(stderr, /^There is no source "crn"\. custom\.sources in serverless\.yml has: crm\.$/m)
  })

  test('tail prints the changes of the source, and a flag replaces a setting of it', async () => {
    const flags = ['--source', 'crm', '--password', store.password, '--columns', 'id']
    const { code, stdout, stderr } = await run('tail/main', ...flags)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^\S+ 0 INSERT shop\.parcels +id=1$/m)
    assert.match(stderr, /^4 changes of 4 records/m)
  })

  test('new writes the handler into the folder of the source, and asks its stream', async () => {
    const flags = ['shop.parcels', '--source', 'crm', '--password', store.password]
    const { code, stdout, stderr } = await run('tables/new', ...flags)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^functions\/tables\/crm\/parcels\.ts {2}\d columns, from 3 changes$/m)
    assert.ok(existsSync(join(service.folder, 'test/crm/parcels.test.ts')))
  })

  test('types compares the handlers of the source with its stream, and no others', async () => {
    const flags = ['--check', '--source', 'crm', '--password', store.password]
    const { code, stdout, stderr } = await run('tables/types', ...flags)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^2 handlers and the newest 4 records of the stream fit\.$/m)
  })
})
