/**
 * Runs before `npm pack`: compiles the package into dist/, and puts the published package.json in place. `postpack.ts` puts
 * the repository's own back.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundlePage } from '../page/bundle.ts'
import { type Manifest, publishedManifest } from './manifest.ts'
import { restoreManifest, savedManifest } from './saved-manifest.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

// An interrupted `npm pack` leaves the published one in place.
restoreManifest(root)
rmSync(join(root, 'dist'), { recursive: true, force: true })
const compiler = join(root, 'node_modules/typescript/bin/tsc')
execFileSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
for (const path of globSync(
  ['infra/*.yml', 'infra/operate/cost/*.json', 'infra/init/service/', '.env.example'],
  { cwd: root },
)) {
  cpSync(join(root, path), join(root, 'dist', path), { recursive: true })
}
const pageFolder = join(root, 'dist/infra/page/browser')
mkdirSync(pageFolder, { recursive: true })
for (const [name, body] of await bundlePage()) writeFileSync(join(pageFolder, name), body)
const path = join(root, 'package.json')
const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest
renameSync(path, savedManifest(root))
writeFileSync(path, `${JSON.stringify(publishedManifest(manifest), null, 2)}\n`)
