import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { zipSync } from 'fflate'
import { limitProblems, type Template } from '../../infra/limits.ts'
import { readArtefact } from '../../lib/dispatch/artefact.ts'
import { given, readRoutes } from '../support/packaged.ts'
import { copyService, type ServiceCopy } from '../support/service-copy.ts'

let service: ServiceCopy
before(() => {
  service = copyService()
  for (const key of ['customers', 'order_items', 'orders']) rmSync(fileOf(key))
})
after(() => service.remove())

function fileOf(key: string): string {
  return join(service.folder, 'functions/tables', `${key}.ts`)
}

/** A name of 27 characters. */
function keyOf(index: number): string {
  return `customer_order_details_${String(index).padStart(4, '0')}`
}

function addFiles(from: number, to: number): void {
  for (let index = from; index < to; index++) {
    // Six or seven tables or patterns for each file: a thousand for 150 files.
    const tables = [0, 1, 2, 3, 4, ...(index < 100 ? [5] : [])].map((at) => `shop.t${index}_${at}_*`)
    writeFileSync(
      fileOf(keyOf(index)),
      `import { defineTable } from 'dts-functions'
import * as z from 'zod'
export const handler = defineTable({
  table: [${[`shop.orders_${index}`, ...tables].map((name) => `'${name}'`).join(', ')}],
  row: z.object({ id: z.bigint() }),
  onChange() {},
})
`,
    )
  }
}

/** Only the first of the files is bundled. For the others, bundling would show nothing new and take minutes. */
function bundleOne(count: number): void {
  writeFileSync(join(service.folder, 'handler.zip'), zipSync({ 'handler.mjs': new Uint8Array(1) }))
  const others = Array.from({ length: count - 1 }, (_, index) => [
    keyOf(index + 1),
    { skipEsbuild: true, package: { artifact: 'handler.zip' } },
  ])
  const file = join(service.folder, 'serverless.yml')
  const text = readFileSync(file, 'utf8')
  assert.match(text, /^ {2}tables: \{\}$/m)
  const tables = JSON.stringify(Object.fromEntries(others))
  writeFileSync(file, text.replace(/^ {2}tables: \{\}$/m, `  tables: ${tables}`))
}

async function packaged(name: string) {
  const artifacts = join(service.folder, name)
  const { code, output } = await service.serverless(['package', '--package', artifacts], given)
  return { artifacts, code, output }
}

test('150 handler files with a thousand tables and patterns are one service within all limits of AWS', async () => {
  addFiles(0, 150)
  bundleOne(150)
  const { artifacts, code, output } = await packaged('packaged')
  assert.equal(code, 0, output)
  const path = join(artifacts, 'cloudformation-template-update-stack.json')
  const template = JSON.parse(readFileSync(path, 'utf8')) as Template
  assert.deepEqual(limitProblems(template, 150), [])
  const functions = Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::Lambda::Function')
  assert.equal(functions.length, 152)
  const routes = readArtefact(readRoutes(artifacts, 'poller'), '', '')
  assert.equal(Object.keys(routes).length, 1_000)
  assert.equal(routes['shop.orders_149']?.functionName, keyOf(149))
})
