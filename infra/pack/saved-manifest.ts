import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'

/** Where the repository's own package.json is while npm packs. */
export const savedManifest = (root: string) => join(root, 'package.repository.json')

export function restoreManifest(root: string): void {
  if (existsSync(savedManifest(root))) renameSync(savedManifest(root), join(root, 'package.json'))
}
