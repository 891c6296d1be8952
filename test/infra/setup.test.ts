import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../../', import.meta.url))
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
  scripts: Record<string, string>
}

test('every script that a fresh clone may begin with installs the packages first', () => {
  const names = Object.keys(scripts).filter((name) => !name.startsWith('pre'))
  assert.ok(names.includes('recovery') && names.includes('deploy'))
  for (const name of names) assert.equal(scripts[`pre${name}`], 'node infra/setup.mjs', name)
})

test('npm run recovery in a clone without packages installs them, and then runs', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dts-functions-clone-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const self = { name: 'clone', version: '1.0.0' }
  const probed = { ...scripts, recovery: 'echo it runs' }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...self, scripts: probed }))
  // Without any package in the lock file npm asks no registry.
  const lock = { ...self, lockfileVersion: 3, packages: { '': self } }
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock))
  mkdirSync(join(folder, 'infra'))
  cpSync(join(root, 'infra/setup.mjs'), join(folder, 'infra/setup.mjs'))
  const { stdout, stderr } = await promisify(execFile)('npm', ['run', 'recovery'], { cwd: folder })
  assert.match(stderr, /Installing packages \(npm ci\)/)
  assert.match(stdout, /^it runs$/m)
})
