import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { context } from 'esbuild'
import { type Bundler, oneAfterTheOther, rebuildWhatChanged } from '../../infra/rebuild.ts'

/** Functions a and b with a common module, bundled by esbuild in the way of serverless-esbuild. */
function startBundler(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'dts-functions-rebuild-'))
  /** By entry. */
  const builds = { 'a.js': 0, 'b.js': 0 }
  let onRead = async () => {}
  /** A saved file is older than the build that it causes. */
  const save = (name: string, text: string, ageMs = 1_000) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    const at = (Date.now() - ageMs) / 1_000
    utimesSync(path, at, at)
  }
  save('common.js', 'export const common = "common 1"', 60_000)
  save('a.js', 'import { common } from "./common.js"\nconsole.log("a 1", common)', 60_000)
  save('b.js', 'import { common } from "./common.js"\nconsole.log("b 1", common)', 60_000)
  const build = async (entry: keyof typeof builds) => {
    const made = await context({
      ...bundler.buildOptions,
      absWorkingDir: folder,
      entryPoints: [entry],
      outdir: join(folder, 'out'),
      bundle: true,
      logLevel: 'silent',
      plugins: [
        {
          name: 'watched',
          setup({ onStart, onLoad }) {
            onStart(() => {
              builds[entry] += 1
            })
            onLoad({ filter: /a\.js$/ }, async ({ path }) => {
              const contents = await readFile(path, 'utf8')
              await onRead()
              return { contents }
            })
          },
        },
      ],
    })
    return { context: made, result: await made.rebuild() }
  }
  const bundler: Bundler = {
    buildOptions: {},
    buildCache: {},
    async bundle() {
      const entries = ['a.js', 'b.js'] as const
      const cached = entries.map(async (entry) => {
        const made = bundler.buildCache[entry]?.context
        return [entry, made ? { context: made, result: await made.rebuild() } : await build(entry)] as const
      })
      bundler.buildCache = Object.fromEntries(await Promise.all(cached))
    },
  }
  rebuildWhatChanged(bundler, folder)
  t.after(async () => {
    for (const { context: made } of Object.values(bundler.buildCache)) await made?.dispose()
    rmSync(folder, { recursive: true })
  })
  return {
    bundler,
    builds,
    save,
    output: (name: string) => readFileSync(join(folder, 'out', name), 'utf8'),
    onRead(callback: () => Promise<void>) {
      onRead = callback
    },
  }
}

describe('the builds of a local run', () => {
  test('are for the functions that the saved file is part of, and for no other', async (t) => {
    const { bundler, builds, save, output } = startBundler(t)
    await bundler.bundle()
    save('a.js', 'console.log("a 2")')
    await bundler.bundle()
    assert.match(output('a.js'), /a 2/)
    assert.deepEqual(builds, { 'a.js': 2, 'b.js': 1 })
    // It is no longer part of a.
    save('common.js', 'export const common = "common 2"')
    await bundler.bundle()
    assert.match(output('b.js'), /common 2/)
    assert.deepEqual(builds, { 'a.js': 2, 'b.js': 2 })
    await bundler.bundle()
    assert.deepEqual(builds, { 'a.js': 2, 'b.js': 2 })
  })

  test('have a file that was saved while a build ran', async (t) => {
    const { bundler, save, output, onRead } = startBundler(t)
    await bundler.bundle()
    const isRead = Promise.withResolvers<void>()
    const mayEnd = Promise.withResolvers<void>()
    onRead(async () => {
      isRead.resolve()
      await mayEnd.promise
    })
    save('a.js', 'console.log("a 2")')
    const second = bundler.bundle()
    await isRead.promise
    save('a.js', 'console.log("a 3")', 0)
    const third = bundler.bundle()
    mayEnd.resolve()
    await Promise.all([second, third])
    assert.match(output('a.js'), /a 3/)
  })

  test('are repeated after a failed one, until the file is correct', async (t) => {
    const { bundler, save, output } = startBundler(t)
    await bundler.bundle()
    save('a.js', 'console.log("a 2"')
    await assert.rejects(bundler.bundle())
    await assert.rejects(bundler.bundle())
    save('a.js', 'console.log("a 2")')
    await bundler.bundle()
    assert.match(output('a.js'), /a 2/)
  })

  test('run one after the other: calls during a run share the next one', async () => {
    const runs: PromiseWithResolvers<void>[] = []
    const run = oneAfterTheOther(() => {
      const one = Promise.withResolvers<void>()
      runs.push(one)
      return one.promise
    })
    const first = run()
    const others = [run(), run()]
    assert.equal(runs.length, 1)
    // A failure is that of its own callers.
    runs[0]?.reject(new Error('no'))
    await assert.rejects(first)
    await new Promise(setImmediate)
    assert.equal(runs.length, 2)
    runs[1]?.resolve()
    await Promise.all(others)
    const last = run()
    runs[2]?.resolve()
    await last
    assert.equal(runs.length, 3)
  })
})
