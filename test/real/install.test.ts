import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { init } from '../../infra/init/init.ts'
import { type Published, packRepository } from '../support/published.ts'

/** Some steps of the preparation take a minute on a busy machine. */
const busyMachine = { timeout: 180_000 }

let published: Published
before(async () => {
  published = await packRepository()
}, busyMachine)
after(() => published.remove())

test('npm resolves a new service with the package to one copy of each package whose objects both exchange', async () => {
  const folder = join(published.folder, 'shop')
  await init({ folder, version: '0.0.0' })
  // Only resolved: test/infra/published.deep.test.ts runs what is installed.
  const parameters = ['install', '--package-lock-only', '--no-audit', '--no-fund', published.tarball]
  await promisify(execFile)('npm', parameters, { cwd: folder })
  const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, unknown>
  }
  for (const name of ['zod', '@aws-sdk/client-dynamodb', 'dts-functions']) {
    const places = Object.keys(packages).filter((place) => place.endsWith(`node_modules/${name}`))
    assert.deepEqual(places, [`node_modules/${name}`])
  }
})
