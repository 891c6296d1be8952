import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { build } from 'esbuild'
import { bundleEnding, bundleOptions } from '../support/bundle.ts'

const folder = mkdtempSync(join(tmpdir(), 'dts-functions-bundling-'))
after(() => rmSync(folder, { recursive: true }))

/** Bundles a source with the options of a deployment, runs it, and returns its output. */
async function run(source: string, { withMap = true } = {}): Promise<string> {
  writeFileSync(join(folder, 'pick.ts'), source)
  const bundle = join(folder, `pick${bundleEnding}`)
  await build({ ...bundleOptions, entryPoints: [join(folder, 'pick.ts')], outfile: bundle })
  if (!withMap) rmSync(`${bundle}.map`)
  return execFileSync(process.execPath, [bundle], { encoding: 'utf8' })
}

const failing = `
  class OutOfStock extends Error {
    constructor(message: string) {
      super(message)
      this.name = new.target.name
    }
  }
  function pick(): never {
    throw new OutOfStock('none left')
  }
  try { pick() } catch (error) { console.log((error as Error).stack) }
`

test('an error in a bundle has the name of its class, and its stack trace names the line of the source', async () => {
  assert.match(
    await run(failing),
    /^OutOfStock: none left\n {4}at pick \(pick\.ts:9:\d+\)\n {4}at pick\.ts:11:\d+\n/,
  )
})

test('without its map, a bundle still prints stack traces', async () => {
  assert.match(
    await run(failing, { withMap: false }),
    /^OutOfStock: none left\n {4}at pick \(.*pick\.mjs:\d+:\d+\)\n/,
  )
})

test('a stack trace does not throw if the error’s message does', async () => {
  const hostile = `
    const error = new Error('x')
    Object.defineProperty(error, 'message', { get() { throw new Error('hostile') } })
    Error.captureStackTrace(error)
    console.log(error.stack?.split('\\n')[0])
  `
  assert.equal(await run(hostile), 'Error\n')
})
