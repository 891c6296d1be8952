import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startLogged } from '../../../infra/local/logged-process.ts'

for (const [ended, fd, other] of [
  ['error output', 2, 'console.log'],
  ['output', 1, 'console.error'],
] as const) {
  test(`the log of the local functions has what a process prints after the end of its ${ended}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'dts-functions-log-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'output.log')
    const script = `console.log('one'); console.error('two')
      require('node:fs').closeSync(${fd})
      setTimeout(() => ${other}('three'), 50)`
    const [code] = await once(startLogged(file, ['-e', script]), 'exit')
    assert.equal(code, 0)
    assert.equal(readFileSync(file, 'utf8'), 'one\ntwo\nthree\n')
  })
}
