import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { startSooner } from '../../infra/stream-bundles.ts'
import { bundleEnding, bundleOptions } from '../../test/support/bundle.ts'

export type Program = 'poller' | 'reader' | 'invoker' | 'get-item' | 'baseline' | 'nothing'

const root = new URL('../..', import.meta.url)
/** Inside the repository, so that the bundles find its packages, as they find Lambda's. git ignores it. */
const folders = fileURLToPath(new URL('.esbuild-bench/', root))
/** Those that are bundled like a table function. */
const programs: readonly Program[] = ['reader', 'invoker', 'get-item', 'baseline', 'nothing']

export interface Bundles {
  fileOf(program: Program): string
  remove(): void
}

/** Bundles the measured programs as a deployment bundles the poller. */
export async function bundlePrograms(): Promise<Bundles> {
  mkdirSync(folders, { recursive: true })
  // Two benches may run at the same time.
  const folder = mkdtempSync(folders)
  const bundle = (names: readonly Program[], plugins: Plugin[]) =>
    build({
      ...bundleOptions,
      entryPoints: names.map((name) => fileURLToPath(new URL(`bench/programs/${name}.ts`, root))),
      outdir: folder,
      outExtension: { '.js': bundleEnding },
      logLevel: 'error',
      plugins,
    })
  await bundle(['poller'], [{ name: 'as-deployed', setup: startSooner }])
  await bundle(programs, [])
  return {
    fileOf: (program) => join(folder, `${program}${bundleEnding}`),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
