import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build } from 'esbuild'
import { bundling } from '../../infra/bundling.ts'

export type Program = 'poller' | 'reader' | 'invoker' | 'get-item' | 'baseline' | 'nothing'

const root = new URL('../..', import.meta.url)
/** Inside the repository, so that the bundles find its packages, as they find Lambda's. git ignores it. */
const folders = fileURLToPath(new URL('.esbuild-bench/', root))
const programs: readonly Program[] = ['poller', 'reader', 'invoker', 'get-item', 'baseline', 'nothing']

export interface Bundles {
  fileOf(program: Program): string
  remove(): void
}

/** Bundles the measured programs as a deployment bundles the poller. */
export async function bundlePrograms(): Promise<Bundles> {
  mkdirSync(folders, { recursive: true })
  // Two benches may run at the same time.
  const folder = mkdtempSync(folders)
  // Without what only serverless-esbuild understands, these are esbuild's own options.
  const { exclude, outputFileExtension, outputWorkFolder: _folder, watch: _watch, ...deployed } = bundling
  await build({
    ...(deployed as BuildOptions),
    entryPoints: programs.map((name) => fileURLToPath(new URL(`bench/programs/${name}.ts`, root))),
    outdir: folder,
    outExtension: { '.js': outputFileExtension },
    bundle: true,
    platform: 'node',
    target: 'node24',
    external: exclude,
    logLevel: 'error',
  })
  return {
    fileOf: (program) => join(folder, `${program}${outputFileExtension}`),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
