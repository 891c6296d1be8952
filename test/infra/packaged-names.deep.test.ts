import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { unzipSync } from 'fflate'
import { copyService, type ServiceCopy } from '../support/service-copy.ts'

/** Packaging takes longer than any test on a busy machine. */
const startUp = { timeout: 180_000 }

let service: ServiceCopy

before(() => {
  service = copyService()
})
after(() => service.remove())

/** Packages the service with more handler files, each for a table, and removes them again. */
async function packageWith(added: Readonly<Record<string, string>>, artifacts: string) {
  const own = join(service.folder, 'functions/tables')
  for (const [name, table] of Object.entries(added)) {
    mkdirSync(dirname(join(own, name)), { recursive: true })
    writeFileSync(
      join(own, name),
      `import * as z from 'zod'
import { defineTable } from 'dts-functions'
export const handler = defineTable({ table: '${table}', row: z.object({ id: z.bigint() }), onChange() {} })
`,
    )
  }
  const result = await service.serverless(['package', '--package', artifacts], {})
  for (const name of Object.keys(added)) rmSync(join(own, name))
  return result
}

describe('handler files in folders, or with names that serverless would normalize to one', () => {
  let artifacts: string
  before(async () => {
    artifacts = join(service.folder, 'packaged')
    const added = {
      'billing/invoices.ts': 'billing.invoices',
      'a-b.ts': 'shop.dash',
      'aDashb.ts': 'shop.word',
    }
    const { code, output } = await packageWith(added, artifacts)
    assert.equal(code, 0, output)
  }, startUp)

  test('become functions of different names', () => {
    const template = readFileSync(join(artifacts, 'cloudformation-template-update-stack.json'), 'utf8')
    const resources: { Type: string; Properties: { FunctionName: string; Handler: string } }[] =
      Object.values(JSON.parse(template).Resources)
    const functions = resources.filter(({ Type }) => Type === 'AWS::Lambda::Function')
    const handlers = new Map(functions.map(({ Properties }) => [Properties.FunctionName, Properties.Handler]))
    assert.equal(
      handlers.get('dts-functions-dev-billing-invoices'),
      'functions/tables/billing/invoices.handler',
    )
    assert.equal(handlers.get('dts-functions-dev-a-b'), 'functions/tables/a-b.handler')
    assert.equal(handlers.get('dts-functions-dev-aDashb'), 'functions/tables/aDashb.handler')
  })

  test('are in artefacts of their own', () => {
    const zips = readdirSync(artifacts).filter((name) => /^(billing|a).*\.zip$/.test(name))
    const files = zips.map((name) => Object.keys(unzipSync(readFileSync(join(artifacts, name)))))
    const modules = files.flat().filter((name) => !name.endsWith('.map'))
    assert.deepEqual(modules.sort(), [
      'functions/tables/a-b.mjs',
      'functions/tables/aDashb.mjs',
      'functions/tables/billing/invoices.mjs',
    ])
  })
})

describe('two handler files for one table', () => {
  let result: Awaited<ReturnType<typeof packageWith>>
  before(async () => {
    result = await packageWith({ 'twice.ts': 'shop.orders' }, join(service.folder, 'refused'))
  }, startUp)

  test('stop serverless package with a message that names both', () => {
    assert.equal(result.code, 1)
    assert.match(result.output, /functions\/tables\/orders\.ts and functions\/tables\/twice\.ts both handle/)
  })
})
