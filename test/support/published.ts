import { execFile } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** The published package, unpacked. */
export interface Published {
  /** Contains `package/`, and is the place for the folders of a test. */
  readonly folder: string
  readonly package: string
  /** The .tgz file. */
  readonly tarball: string
  remove(): void
}

/** Runs `npm pack` in a copy of the repository, because it replaces package.json for a moment. */
export async function packRepository(): Promise<Published> {
  const folder = mkdtempSync(join(tmpdir(), 'dts-functions-published-'))
  const copy = join(folder, 'repository')
  const parts = [
    'lib',
    'functions',
    'infra',
    'docs',
    'CHANGELOG.md',
    '.env.example',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ]
  for (const part of parts) cpSync(join(root, part), join(copy, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'dir')
  await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: copy })
  const [tarball = ''] = globSync('*.tgz', { cwd: folder })
  await run('tar', ['-xzf', tarball], { cwd: folder })
  return {
    folder,
    package: join(folder, 'package'),
    tarball: join(folder, tarball),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/**
 * Installs the published package into a folder without a network: a copy of it, and links to this repository's copies of the
 * packages that the manifests declare. A package that is used but not declared is therefore missing.
 * @param own the packages that the folder's own package.json declares
 */
export function installLinked(published: Published, folder: string, own: readonly string[] = []): void {
  cpSync(published.package, join(folder, 'node_modules/dts-functions'), { recursive: true })
  for (const name of new Set([...own, ...declared(join(published.package, 'package.json'))])) {
    const place = join(folder, 'node_modules', name)
    if (existsSync(place)) continue
    mkdirSync(dirname(place), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), place, 'dir')
  }
}

/** The names of all packages that a package.json declares. */
export function declared(manifest: string): string[] {
  const { dependencies, peerDependencies, devDependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    [kind: string]: Record<string, string> | undefined
  }
  return Object.keys({ ...dependencies, ...peerDependencies, ...devDependencies })
}
